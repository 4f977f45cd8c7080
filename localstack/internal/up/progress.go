package up

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"tradewind/localstack/internal/usererr"
)

const (
	frameEvery = 120 * time.Millisecond // of the live line
	signEvery  = 20 * time.Second       // of life, where there is no live line
	lineWidth  = 78                     // the live line must not wrap
)

var frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// board is where steps are shown.
type board struct {
	out   io.Writer
	live  bool
	start time.Time
}

// newBoard returns a board on a file; the time of the whole run starts now.
func newBoard(out *os.File) *board {
	return newBoardFor(out, terminal(out))
}

// newBoardFor is newBoard for an output that is a terminal or not.
func newBoardFor(out io.Writer, live bool) *board {
	return &board{out: out, live: live, start: time.Now()}
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Step runs one step and shows how it goes. work returns a short remark on
// what it did; latest, which may be nil, is asked for the last thing heard.
func (b *board) Step(name string, latest func() string, work func() (string, error)) error {
	start := time.Now()
	stop := b.watch(name, start, latest)
	remark, err := work()
	stop()
	took := seconds(time.Since(start))
	if err != nil {
		fmt.Fprintf(b.out, "%s %-10s %8s  not finished\n", b.mark("✗", 31), name, took)
		return err
	}
	fmt.Fprintf(b.out, "%s %-10s %8s  %s\n", b.mark("✓", 32), name, took, remark)
	return nil
}

// Total is the time since the board was made.
func (b *board) Total() string { return seconds(time.Since(b.start)) }

// Write writes between steps.
func (b *board) Write(text []byte) (int, error) { return b.out.Write(text) }

// Fail shows why a run ended: what is wrong, what to do, where to read on.
func (b *board) Fail(err error) {
	f := usererr.From(err)
	fmt.Fprintf(b.out, "\n%s %s\n", b.mark("error:", 31), f.What)
	if f.Do != "" {
		fmt.Fprintf(b.out, "       %s\n", f.Do)
	}
	for _, line := range f.Tail {
		fmt.Fprintf(b.out, "  | %s\n", line)
	}
	if f.Log != "" {
		fmt.Fprintf(b.out, "  log: %s\n", f.Log)
	}
}

// watch shows that a step is at work until stop is called.
func (b *board) watch(name string, start time.Time, latest func() string) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	every, show := signEvery, b.sign
	if b.live {
		every, show = frameEvery, b.frame
	}
	ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			if b.live {
				show(n, name, start, latest)
			}
			select {
			case <-done:
				if b.live {
					fmt.Fprint(b.out, "\r\x1b[K")
				}
				return
			case <-tick.C:
				if !b.live {
					show(n, name, start, latest)
				}
			}
		}
	})
	return func() { close(done); ended.Wait() }
}

func (b *board) frame(n int, name string, start time.Time, latest func() string) {
	line := fmt.Sprintf("%c %-10s %8s  %s", frames[n%len(frames)], name, seconds(time.Since(start)), heard(latest))
	fmt.Fprintf(b.out, "\r\x1b[K%s", clip(line, lineWidth))
}

func (b *board) sign(_ int, name string, start time.Time, latest func() string) {
	fmt.Fprintf(b.out, "… %-10s %8s  %s\n", name, seconds(time.Since(start)), clip(heard(latest), lineWidth))
}

func heard(latest func() string) string {
	if latest == nil {
		return ""
	}
	return latest()
}

func (b *board) mark(sign string, colour int) string {
	if !b.live || os.Getenv("NO_COLOR") != "" {
		return sign
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, sign)
}

func clip(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
