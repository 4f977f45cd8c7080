package localstack

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOpenSockets(t *testing.T) {
	const rest = " 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0"
	for line, want := range map[string]string{
		"   0: 0100007F:11D6" + fmt.Sprintf(rest, "0A"):                         "",     // 127.0.0.1
		"   1: 3500007F:0035" + fmt.Sprintf(rest, "0A"):                         "",     // 127.0.0.53
		"   2: 00000000:11D6" + fmt.Sprintf(rest, "0A"):                         "4566", // 0.0.0.0
		"   3: 0200A8C0:0050" + fmt.Sprintf(rest, "0A"):                         "80",   // 192.168.0.2
		"   4: 00000000:11D6" + fmt.Sprintf(rest, "01"):                         "",     // a connection
		"   5: 00000000000000000000000001000000:11D6" + fmt.Sprintf(rest, "0A"): "",     // ::1
		"   6: 0000000000000000FFFF00000100007F:11D6" + fmt.Sprintf(rest, "0A"): "",     // ::ffff:127.0.0.1
		"   7: 0000000000000000FFFF000000000000:11D6" + fmt.Sprintf(rest, "0A"): "4566", // ::ffff:0.0.0.0
		"   8: 00000000000000000000000000000000:11D6" + fmt.Sprintf(rest, "0A"): "4566", // ::
		"  sl  local_address rem_address   st":                                  "",
	} {
		inode, port, ok := openSocket(line)
		if ok != (want != "") || port != want || ok && inode != "4711" {
			t.Errorf("%s: %q %q %v, want port %q", line, inode, port, ok, want)
		}
	}
}

// listenVar makes this test binary listen where others can reach it.
const listenVar = "GUARD_TEST_LISTEN"

func TestMain(m *testing.M) {
	if address, ok := os.LookupEnv(listenVar); ok {
		if _, err := net.Listen("tcp", address); err != nil {
			fmt.Println(err)
		}
		fmt.Println("listening")
		time.Sleep(time.Minute)
		return
	}
	os.Exit(m.Run())
}

func TestTheGuardSeesItsDescendants(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip(err)
	}
	listen := func(t *testing.T, address string) {
		// A child's child, as the database is.
		cmd := exec.CommandContext(t.Context(), "sh", "-c", os.Args[0]+" & wait")
		cmd.Env = append(os.Environ(), listenVar+"="+address)
		cmd.WaitDelay = time.Second
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for _, pid := range family("/proc", cmd.Process.Pid) {
				if p, err := os.FindProcess(pid); err == nil {
					_ = p.Kill()
				}
			}
			_ = cmd.Wait()
		})
		if _, err := out.Read(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	listen(t, "127.0.0.1:0")
	if err := guard(ctx); err != nil {
		t.Errorf("on loopback: %v", err)
	}
	listen(t, ":0")
	if err := guard(t.Context()); err == nil || !strings.Contains(err.Error(), "others could reach port ") || !strings.Contains(err.Error(), "ALLOW_OPEN_PORTS=1") {
		t.Errorf("on all interfaces: %v", err)
	}
	t.Setenv(OpenPortsVar, "1")
	if err := guard(t.Context()); err != nil {
		t.Errorf("allowed: %v", err)
	}
}
