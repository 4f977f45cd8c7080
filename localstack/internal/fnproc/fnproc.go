// Package fnproc finds the processes in which a local endpoint runs its functions,
// so that a test can kill one in the middle of its work, as AWS may at any time, and a
// tool can run the same program in the same environment. It also tells how much memory
// an endpoint and its functions use.
//
// It looks in /proc, so it works on Linux only, and sees no more than its user may.
package fnproc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Supported says whether processes can be found here.
func Supported() bool {
	_, err := os.Stat("/proc/self/environ")
	return err == nil
}

// Find returns the ids of the processes that run a function of the endpoint at a
// URL, of those its versions that have some variables ("NAME=value"). The function's
// environment tells all that; the executable's path does not, for it is named after
// its content.
func Find(endpoint, function string, variables ...string) []int {
	want := append([]string{"AWS_ENDPOINT_URL=" + endpoint, "AWS_LAMBDA_FUNCTION_NAME=" + function}, variables...)
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err != nil || !hasAll(environ, want) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// Environ returns the environment that a process was started with.
func Environ(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// Program returns a path at which a process's executable can be read as long as it runs,
// whatever became of the file.
func Program(pid int) string { return fmt.Sprintf("/proc/%d/exe", pid) }

// Kill ends every process that runs a function, at once and without warning, and
// returns how many there were.
func Kill(endpoint, function string) int {
	n := 0
	for _, pid := range Find(endpoint, function) {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// Group returns how many processes a process group has, and how much memory they have
// resident in all, in bytes. Memory that processes share counts once for each.
func Group(id int) (processes int, resident int64) {
	const state, group = 0, 2 // fields behind the name, see proc(5)
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name is in parentheses and may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) <= group || fields[state] == "Z" || fields[group] != strconv.Itoa(id) {
			continue
		}
		processes++
		statm, err := os.ReadFile(filepath.Join(filepath.Dir(path), "statm"))
		if err != nil {
			continue
		}
		var size, pages int64
		if _, err := fmt.Sscan(string(statm), &size, &pages); err == nil {
			resident += pages * int64(os.Getpagesize())
		}
	}
	return processes, resident
}

func hasAll(environ []byte, variables []string) bool {
	for _, v := range variables {
		if !has(environ, v) {
			return false
		}
	}
	return true
}

func has(environ []byte, variable string) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if string(entry) == variable {
			return true
		}
	}
	return false
}
