//go:build !linux

package netns

import (
	"context"
	"os"
)

// Main does nothing: no process is ever inside.
func Main() {}

// Check says that no namespace can be had.
func Check(context.Context) error { return ErrUnsupported }

// Run does not run anything.
func Run(context.Context, []string, ...*os.File) error { return ErrUnsupported }
