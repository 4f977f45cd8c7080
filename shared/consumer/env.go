package consumer

import (
	"os"

	"tradewind/shared/env"
	"tradewind/shared/inbox"
	"tradewind/shared/logs"
	"tradewind/shared/quarantine"
)

// FromEnv returns a consumer that handles nothing yet, with the dead-letter queue in
// DLQ_URL and the number of deliveries in MAX_RECEIVES, which must be that of the
// queue itself.
func FromEnv(vars *env.Vars, box *inbox.Inbox) *Consumer {
	c := New(box, logs.New(os.Stdout, vars.Getenv))
	vars.Require("MAX_RECEIVES")
	c.Quarantine(quarantine.FromEnv(vars), vars.Int("MAX_RECEIVES", 0))
	return c
}
