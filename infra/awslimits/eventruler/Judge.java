import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import software.amazon.event.ruler.Machine;

/** Reads cases, each a pattern and events, and writes which events match or why the pattern is refused. */
public class Judge {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        ArrayNode verdicts = json.createArrayNode();
        for (JsonNode one : json.readTree(System.in)) {
            ObjectNode verdict = verdicts.addObject();
            ArrayNode matches = verdict.putArray("Matches");
            Machine machine = Machine.builder().build();
            try {
                machine.addRule("pattern", one.get("Pattern").toString());
            } catch (Exception refused) {
                verdict.put("Refused", refused.getMessage());
                continue;
            }
            for (JsonNode event : one.get("Events")) {
                matches.add(!machine.rulesForJSONEvent(event.toString()).isEmpty());
            }
        }
        json.writeValue(System.out, verdicts);
    }
}
