package endpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// death is what is known of an endpoint that ended by itself.
type death struct {
	how       error // nil is exit status 0
	functions int   // processes that ran functions at last; zero if unknown
	resident  int64 // memory of all, in bytes
	killed    int   // processes of the whole machine, for lack of memory, while it ran
}

func (d death) String() string {
	how := "exit status 0"
	if d.how != nil {
		how = d.how.Error()
	}
	text := "the local endpoint ended by itself (" + how + ")"
	if d.functions > 0 {
		text += fmt.Sprintf("; function processes: %d, memory: %.1f GB", d.functions, float64(d.resident)/1e9)
	}
	if d.killed > 0 {
		text += fmt.Sprintf("; processes that Linux killed for lack of memory meanwhile: %d", d.killed)
	}
	return text
}

// outOfMemoryKills returns how many processes the kernel has killed for lack of memory
// since it started; zero where it does not say.
func outOfMemoryKills() int {
	text, _ := os.ReadFile("/proc/vmstat")
	return oomKills(string(text))
}

func oomKills(vmstat string) int {
	for line := range strings.Lines(vmstat) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(count))
			return n
		}
	}
	return 0
}
