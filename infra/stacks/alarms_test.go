package stacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/logs"
)

// One alarm for each symptom, on a metric that the symptom decides; the descriptions are
// held to what the person needs who is woken.
func TestAlarms(t *testing.T) {
	everywhere := []string{
		"AWS/SQS ApproximateNumberOfMessagesVisible of %s-relay-dlq: Maximum >= 1, 1 of 1 × 60 s",
		"AWS/Lambda IteratorAge of %s/relay: Maximum >= 120000, 1 of 1 × 60 s",
		// Nothing is heard of a mapping that does not poll, and 0 of one that finds nothing.
		"AWS/Lambda PolledEventCount of %s/relay's mapping: SampleCount < 1 or missing, 2 of 2 × 300 s",
		"FILL(m0,0)+FILL(m1,0)+FILL(m2,0), m0 = AWS/Lambda Errors of %[1]s/api: Sum × 60 s, " +
			"m1 = AWS/Lambda Throttles of %[1]s/api: Sum × 60 s, m2 = Tradewind ServerErrors of tradewind-test-%[1]s-api: Sum × 60 s >= 1, 3 of 5",
	}
	consumer := []string{
		"AWS/SQS ApproximateNumberOfMessagesVisible of %s-consumer-dlq: Maximum >= 1, 1 of 1 × 60 s",
		"AWS/SQS ApproximateNumberOfMessagesVisible of %s-rule-dlq: Maximum >= 1, 1 of 1 × 60 s",
		"FILL(m0,0)+FILL(m1,0), m0 = AWS/Events FailedInvocations of {platform/bus-name} %[1]s's rule: Sum × 60 s, " +
			"m1 = AWS/Events InvocationsFailedToBeSentToDlq of {platform/bus-name} %[1]s's rule: Sum × 60 s >= 1, 1 of 1",
	}
	const (
		backlog  = "AWS/SQS ApproximateAgeOfOldestMessage of %s-consumer: Maximum >= %d, 1 of 1 × 60 s"
		schedule = "FILL(m0,0)-FILL(m1,0), m0 = AWS/Lambda Invocations of %[1]s: Sum × 300 s, m1 = AWS/Lambda Errors of %[1]s: Sum × 300 s < 1 or missing, 1 of 1"
		healthy  = "Tradewind ServiceHealthy of test status %s: Minimum < 1 or missing, 1 of 1 × 180 s"
	)
	want := map[string][]string{}
	for _, s := range services {
		want[s.name] = filled(everywhere, s.name)
	}
	// Five deliveries, each as far from the next as the queue's visibility timeout.
	for name, longest := range map[string]int{"inventory": 300, "notifications": 300, "orders": 300, "payments": 900, "status": 900} {
		want[name] = append(append(want[name], filled(consumer, name)...), fmt.Sprintf(backlog, name, longest))
	}
	want["orders"] = append(want["orders"], fmt.Sprintf(schedule, "orders/sweeper"))
	want["status"] = append(want["status"], fmt.Sprintf(schedule, "status/prober"),
		"AWS/ApiGateway 5xx of {platform/api-id}: Sum >= 1, 3 of 5 × 60 s")
	for _, host := range hosts {
		want["status"] = append(want["status"], fmt.Sprintf(healthy, host))
	}
	for _, list := range want {
		slices.Sort(list)
	}
	all := onAWS()
	got := map[string][]string{}
	for stack, tpl := range all {
		for id, a := range tpl.of("AWS::CloudWatch::Alarm") {
			got[stack] = append(got[stack], tpl.alarm(stack, a))
			description := a.at("AlarmDescription").(string)
			symptom, remedy, both := strings.Cut(description, ". ")
			if !both || symptom == "" || !strings.HasSuffix(remedy, ".") || strings.Contains(description, "\n") || len(description) > 1024 {
				t.Errorf("%s/%s says neither what is wrong nor what to do: %q", stack, id, description)
			}
			for _, actions := range []string{"AlarmActions", "OKActions"} {
				if to := tpl.describe(a.at(actions, 0)); to != "{platform/alarm-topic-arn}" {
					t.Errorf("%s/%s: %s go to %s", stack, id, actions, to)
				}
			}
		}
		slices.Sort(got[stack])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Lambda counts what a mapping polls only if it was asked to.
	for _, f := range functions(all) {
		if f.kind != "relay" {
			continue
		}
		if diff := cmp.Diff([]any{"EventCount"}, all[f.stack].mapping(t, f).at("MetricsConfig", "Metrics")); diff != "" {
			t.Errorf("%s: the mapping's metrics: %s", f, diff)
		}
	}
}

func filled(formats []string, name string) []string {
	list := make([]string, len(formats))
	for i, format := range formats {
		list[i] = fmt.Sprintf(format, name)
	}
	return list
}

// alarm is what raises an alarm, in words.
func (t template) alarm(stack string, a resource) string {
	compare := map[any]string{"GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<"}[a.at("ComparisonOperator")]
	limit := fmt.Sprint(compare, " ", strconv.FormatFloat(a.at("Threshold").(float64), 'f', -1, 64))
	if a.at("TreatMissingData") == "breaching" {
		limit += " or missing"
	}
	evaluated := a.at("EvaluationPeriods")
	enough := a.at("DatapointsToAlarm")
	if enough == nil {
		enough = evaluated
	}
	periods := fmt.Sprint(enough, " of ", evaluated)
	queries, _ := a.at("Metrics").([]any)
	if queries == nil {
		return fmt.Sprintf("%s: %v %s, %s × %v s", t.series(stack, a), a.at("Statistic"), limit, periods, a.at("Period"))
	}
	var metrics []string
	expression := ""
	for _, q := range queries {
		query := resource{Properties: q.(map[string]any)}
		if query.at("ReturnData") == true {
			expression = query.at("Expression").(string)
			continue
		}
		metric := resource{Properties: query.at("MetricStat", "Metric").(map[string]any)}
		metrics = append(metrics, fmt.Sprintf("%v = %s: %v × %v s", query.at("Id"), t.series(stack, metric), query.at("MetricStat", "Stat"), query.at("MetricStat", "Period")))
	}
	return fmt.Sprintf("%s, %s %s, %s", expression, strings.Join(metrics, ", "), limit, periods)
}

// series names a metric and what it is about.
func (t template) series(stack string, metric resource) string {
	var about []string
	for _, d := range metric.at("Dimensions").([]any) {
		value := d.(map[string]any)["Value"]
		switch r := t.Resources[ref(value)]; r.Type {
		case "AWS::Lambda::Function":
			name := r.at("FunctionName").(string)
			about = append(about, stack+"/"+name[strings.LastIndex(name, "-")+1:])
		case "AWS::Lambda::EventSourceMapping":
			fn := t.Resources[t.behind(r.at("FunctionName"))].at("FunctionName").(string)
			about = append(about, stack+"/"+fn[strings.LastIndex(fn, "-")+1:]+"'s mapping")
		case "AWS::Events::Rule":
			about = append(about, stack+"'s rule")
		default:
			about = append(about, t.describe(value))
		}
	}
	return fmt.Sprintf("%v %v of %s", metric.at("Namespace"), metric.at("MetricName"), strings.Join(about, " "))
}

// What a service answers reaches the alarm by its log: the filter finds the lines that the
// kit writes of answers with 5xx, and of no others, and the alarm asks for the metric that
// the filter makes of them.
func TestServerErrorsAreCounted(t *testing.T) {
	targets(t, func(t *testing.T, all map[string]template) {
		for _, f := range functions(all) {
			if f.kind != "api" {
				continue
			}
			var filter resource
			for _, m := range all[f.stack].of("AWS::Logs::MetricFilter") {
				filter = m
			}
			if ref(filter.at("LogGroupName")) != ref(f.at("LoggingConfig", "LogGroup")) {
				t.Errorf("%s: the filter reads the log group %v", f, filter.at("LogGroupName"))
			}
			for path, want := range map[string]bool{
				"/ok": false, "/missing": false, "/broken": true, "/down": true,
				"/health/ready": false, // says every minute what the prober reports once
			} {
				line := f.logs(t, path)
				if got := matches(t, filter.at("FilterPattern").(string), line); got != want {
					t.Errorf("%s: counts %v as an answer with 5xx: %v", f, line, got)
				}
				if name := line["function"]; name != f.at("FunctionName") {
					t.Errorf("%s: the metric is of %v", f, name)
				}
			}
			made := resource{Properties: filter.at("MetricTransformations", 0).(map[string]any)}
			if diff := cmp.Diff([]any{map[string]any{"Key": "function", "Value": "$.function"}}, made.at("Dimensions")); diff != "" {
				t.Errorf("%s: %s", f, diff)
			}
			if made.at("MetricNamespace") != "Tradewind" || made.at("MetricName") != "ServerErrors" || made.at("MetricValue") != "1" {
				t.Errorf("%s: the filter makes %v", f, made.Properties)
			}
		}
	})
}

// logs is the line that the kit writes in a function of a request that was answered.
func (f function) logs(tb testing.TB, path string) map[string]any {
	tb.Helper()
	var out bytes.Buffer
	rt := httpkit.NewRouter(logs.New(&out, func(name string) string {
		if name == "AWS_LAMBDA_FUNCTION_NAME" {
			return f.at("FunctionName").(string)
		}
		value, _ := f.at("Environment", "Variables", name).(string)
		return value
	}))
	for route, status := range map[string]int{"GET /ok": http.StatusOK, "GET /down": http.StatusServiceUnavailable} {
		rt.Handle(route, func(*http.Request) (httpkit.Answer, error) { return httpkit.JSON(status, ""), nil })
	}
	rt.Handle("GET /broken", func(*http.Request) (httpkit.Answer, error) { return httpkit.Answer{}, errors.New("broken") })
	health.Handle(rt, health.Check{Name: "table", Ask: func(context.Context) error { return errors.New("no answer") }})
	rt.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil))
	written := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	var line map[string]any
	if err := json.Unmarshal(written[len(written)-1], &line); err != nil {
		tb.Fatal(err)
	}
	return line
}

// matches judges a line as CloudWatch does by a pattern of comparisons that must all be
// true.
func matches(tb testing.TB, pattern string, line map[string]any) bool {
	tb.Helper()
	for comparison := range strings.SplitSeq(strings.Trim(pattern, "{ }"), "&&") {
		words := strings.SplitN(strings.TrimSpace(comparison), " ", 3)
		name, ok := strings.CutPrefix(words[0], "$.")
		value, present := line[name]
		if !ok || !present || len(words) != 3 {
			tb.Fatalf("%s: the line has %v", comparison, slices.Sorted(maps.Keys(line)))
		}
		holds := false
		switch words[1] {
		case "=":
			holds = strconv.Quote(fmt.Sprint(value)) == words[2]
		case "!=":
			holds = strconv.Quote(fmt.Sprint(value)) != words[2]
		case ">=":
			limit, err := strconv.ParseFloat(words[2], 64)
			number, isNumber := value.(float64)
			holds = err == nil && isNumber && number >= limit
		}
		if !holds {
			return false
		}
	}
	return true
}
