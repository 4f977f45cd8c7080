package localstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// OpenPortsVar allows, with the value 1, that something listens on other interfaces
// than loopback.
const OpenPortsVar = "ALLOW_OPEN_PORTS"

const look = 2 * time.Second

// guard looks again and again whether anything that was started here listens where
// others could reach it: nothing of it asks who is calling. It looks into /proc, which
// is where functions run anyway.
func guard(ctx context.Context) error {
	allowed := os.Getenv(OpenPortsVar) == "1"
	for {
		if open := openPorts("/proc", os.Getpid()); len(open) > 0 {
			what := "others could reach " + strings.Join(open, " and ")
			if !allowed {
				return fmt.Errorf("%s; %s=1 allows it, for a machine that nobody else reaches", what, OpenPortsVar)
			}
			fmt.Printf("%s, as %s=1 allows\n", what, OpenPortsVar)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(look):
		}
	}
}

// openPorts lists what a process and its descendants listen on, as "port 4566 of
// process 12", but for loopback addresses.
func openPorts(proc string, root int) []string {
	sockets := map[string]string{} // inode to port
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		text, _ := os.ReadFile(filepath.Join(proc, table))
		for line := range strings.Lines(string(text)) {
			if inode, port, ok := openSocket(line); ok {
				sockets[inode] = port
			}
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	var open []string
	for _, pid := range family(proc, root) {
		links, _ := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "fd/*"))
		for _, link := range links {
			target, err := os.Readlink(link)
			if err != nil {
				continue
			}
			inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
			if port, ok := sockets[inode]; ok {
				open = append(open, fmt.Sprintf("port %s of process %d", port, pid))
			}
		}
	}
	return open
}

// openSocket reads a line of /proc/net/tcp or tcp6: a socket that listens and not on a
// loopback address.
func openSocket(line string) (inode, port string, ok bool) {
	const localAddress, state, inodeField = 1, 3, 9
	fields := strings.Fields(line)
	if len(fields) <= inodeField || fields[state] != "0A" {
		return "", "", false
	}
	address, hexPort, _ := strings.Cut(fields[localAddress], ":")
	switch {
	case len(address) == 8 && strings.HasSuffix(address, "7F"): // 127.0.0.0/8, last byte first
		return "", "", false
	case address == "00000000000000000000000001000000": // ::1
		return "", "", false
	case strings.HasPrefix(address, "0000000000000000FFFF0000") && strings.HasSuffix(address, "7F"): // ::ffff:127.0.0.0/104
		return "", "", false
	}
	n, err := strconv.ParseUint(hexPort, 16, 16)
	return fields[inodeField], strconv.FormatUint(n, 10), err == nil
}

// family lists a process and its descendants.
func family(proc string, root int) []int {
	children := map[int][]int{}
	paths, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state parent …"; the name may hold anything.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		pid, errPID := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) < 2 || errPID != nil {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}
