package endpoint

import (
	"syscall"
	"testing"

	"tradewind/localstack/internal/process"
)

func TestDeath(t *testing.T) {
	killed := &process.ExitError{Signal: syscall.SIGKILL}
	for want, d := range map[string]death{
		"the local endpoint ended by itself (exit status 0)": {},
		"the local endpoint ended by itself (exit status 3)": {how: &process.ExitError{Code: 3}},
		"the local endpoint ended by itself (killed by signal 9 (killed)); function processes: 504, memory: 4.9 GB; " +
			"processes that Linux killed for lack of memory meanwhile: 2": {how: killed, functions: 504, resident: 4_900_000_000, killed: 2},
	} {
		if got := d.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestOOMKills(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "oom_kill 3\n": 3, "drop_slab 1\noom_kill 12\nnuma_pte_updates 4\n": 12, "oom_kill_disabled 7\n": 0,
	} {
		if got := oomKills(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
