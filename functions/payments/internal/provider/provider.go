// Package provider picks the payment provider that a function is configured
// for, so that its main does not have to know them.
package provider

import (
	"time"

	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/sandbox"
	"tradewind/functions/payments/internal/stripe"
	"tradewind/shared/env"
	"tradewind/shared/table"
)

// FromEnv returns the provider that PAYMENT_PROVIDER names: "sandbox", the
// default, which keeps its books in t, or "stripe". The error holds every fault
// of the variables, also of those read before.
func FromEnv(vars *env.Vars, t *table.Table) (payments.Provider, error) {
	if vars.OneOf("PAYMENT_PROVIDER", "sandbox", "stripe") == "stripe" {
		return stripe.FromEnv(vars)
	}
	return sandbox.New(t, time.Now), vars.Err()
}
