package main

import (
	"fmt"
	"os"
	"syscall"
)

// quiet is the greatest share of the processors' time that other programs may take where
// figures are published.
const quiet = 0.05

// publish puts the tables into a document, if the machine was quiet.
func publish(path string, others float64, tables map[string]string) error {
	if others > quiet {
		return fmt.Errorf("%s is left as it was: other programs took %.1f %% of the processors' time, and only %.0f %% are allowed; end them and run this again", path, 100*others, 100*quiet)
	}
	return replaceTables(path, tables)
}

// processors is what the machine's processors have done since it started, in seconds.
type processors struct {
	all    float64 // idle time included
	others float64 // for other programs, and for other virtual machines (steal)
}

// readProcessors counts as this program's own what it and its children did. A child
// counts when it has ended.
func readProcessors() (processors, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return processors{}, err
	}
	return parseStat(string(stat), ownSeconds())
}

func ownSeconds() float64 {
	var own float64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // fails only for another who
		own += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	return own
}

func parseStat(stat string, own float64) (processors, error) {
	const hertz = 100 // of the file's ticks
	var user, nice, system, idle, iowait, irq, softirq, steal float64
	if _, err := fmt.Sscanf(stat, "cpu %g %g %g %g %g %g %g %g", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return processors{}, fmt.Errorf("/proc/stat: %w", err)
	}
	busy := (user + nice + system + irq + softirq + steal) / hertz
	return processors{all: busy + (idle+iowait)/hertz, others: busy - own}, nil
}

// othersSince returns the share of the time since before that others took.
func (p processors) othersSince(before processors) float64 {
	return max(0, (p.others-before.others)/(p.all-before.all))
}
