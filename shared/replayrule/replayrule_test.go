package replayrule_test

import (
	"fmt"

	"tradewind/shared/replayrule"
)

func Example() {
	fmt.Println(replayrule.Name("tradewind-dev", "inventory", "t0a1b2c3d4")) // the tool's rule
	fmt.Println(replayrule.Name("tradewind-dev", "inventory", "*"))          // what the queues let in
	// Output:
	// tradewind-dev-inventory-replay-t0a1b2c3d4
	// tradewind-dev-inventory-replay-*
}
