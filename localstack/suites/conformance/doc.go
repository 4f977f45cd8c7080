// Package conformance holds every route of a running platform to the contract's rules
// for all routes: each rule is a row, each operation a column, and a cell to which the
// rule applies and which has no check fails.
//
// The columns are not written here. They are the operations of the OpenAPI documents
// that the platform serves, so a new operation fails until it has an example. With
// the rows go a thousand bad requests that must be refused and leave no trace in any
// table, and what only many clients at once can show: that a repeated request has one
// effect, that nothing is sold twice, and that concurrent answers have an order which
// explains them. Every answer seen on the way is held to its document.
//
// The suite is skipped unless TRADEWIND_OUTPUTS names the outputs of a run. It has the
// platform to itself, because it looks for traces, and waits until no other suite uses
// it. make test-full makes the concurrent parts as large as they are meant to be, which
// takes half an hour on two cores; give go test a timeout to match.
package conformance
