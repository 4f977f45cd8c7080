//go:build !linux

package process

// Elsewhere orphans go to process 1, which reaps them.

func adopt()       {}
func reap() bool   { return false }
func endRunaways() {}
