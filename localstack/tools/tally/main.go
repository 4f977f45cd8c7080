// Command tally runs `go test -json` for the Makefile, shows what a person wants to
// see of it, and counts over several such runs what passed, failed and was skipped.
//
// It exists because the tests that decide a change come from more than one command
// (with the race detector, without it, beside a running endpoint), each of which
// knows its own part only. A test that one command skips for want of an endpoint
// and another runs counts once, as run.
//
// With a command, it runs that, writes the results to a file and ends with the
// command's exit code; a line of its output that is no test event is passed on:
//
//	tally -record unit.json -- go test -json ./...
//
// TRADEWIND_ENDPOINT, where it is set, is what they were beside: its name and version.
// TRADEWIND_FULL=1 says that they were the long tier (make test-full).
//
// With files, it adds them up. What was beside an endpoint is told apart by that, and
// what it skipped is told with the reason, even if it ran beside another. Its last line is "N passed, N failed, N skipped",
// and it fails if a test did, or if a file is missing:
//
//	tally unit.json endpoint.json
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"tradewind/localstack/internal/tier"
)

func main() {
	record := flag.String("record", "", "`file` for the results of the command that follows")
	began := flag.Int64("began", 0, "when the whole began, in Unix `seconds`; adds the time to the sum")
	flag.Parse()

	var code int
	var err error
	if *record != "" {
		code, err = run(*record, flag.Args(), os.Stdout)
	} else {
		code, err = sum(flag.Args(), *began, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		code = 1
	}
	os.Exit(code)
}

// run records what command says of its tests.
func run(path string, command []string, out io.Writer) (code int, err error) {
	if len(command) == 0 {
		return 0, errors.New("no command to run")
	}
	// An interrupt goes to the whole process group: the command decides what to
	// clean up, and ends by itself.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	results, readErr := read(stdout, out)
	if err := errors.Join(readErr, ignoreExit(cmd.Wait())); err != nil {
		return 0, err
	}
	code = cmd.ProcessState.ExitCode()
	if code != 0 && !results.failed() {
		results.Broken = append(results.Broken, fmt.Sprintf("%s: %s", command[0], cmd.ProcessState))
	}
	results.Beside = os.Getenv("TRADEWIND_ENDPOINT")
	results.Full = tier.IsFull()
	results.Seconds = time.Since(began).Seconds()
	return code, results.save(path)
}

// ignoreExit drops the error that says only what the exit code says.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}
