//go:build race

package httpapi_test

// manyKeys is fewer under the race detector, which has seen all there is by then.
const manyKeys = 50
