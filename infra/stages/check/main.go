// Command check reads the files of stages and says what is wrong with them. It exists
// beside command infra, which does the same, because it needs no CDK and answers in a
// second.
package main

import (
	"fmt"
	"os"

	"tradewind/infra/stages"
)

func main() {
	failed := false
	for _, file := range os.Args[1:] {
		if _, _, err := stages.Load(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
