// Package replayrule names the EventBridge rules that a replay makes while it runs.
//
// It exists because two sides must agree on the name: the tool that replays makes
// the rules, and the policies of each service's queues let in rules by their names.
// EventBridge does not retry what a policy refuses, and the dead-letter queue has the
// same policy: a rule with another name delivers nothing, and the replay still
// completes.
package replayrule

// Name returns the name of the rule on a bus by which the replay with an id reaches a
// service. With "*" for the id it is a pattern, in the form of IAM, of all such names;
// with "" it is what they begin with.
func Name(bus, service, id string) string { return bus + "-" + service + "-replay-" + id }
