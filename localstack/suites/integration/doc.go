// Package integration holds the suite that judges a running platform by its public
// contract. It calls the gateway, as clients do, and knows of the platform only what
// the outputs file of a run tells: the same suite judges a local endpoint and AWS.
//
// It is skipped unless TRADEWIND_OUTPUTS names that file, which `make test` and
// `up -- go test ./localstack/suites/integration` see to. Each test makes its own users and
// products, so tests neither meet nor need each other; what all of them left behind
// is audited at the end. make test-full runs every part on every endpoint, and the burst of
// orders in its large form: ten in a row, and 1,000 orders at once.
package integration
