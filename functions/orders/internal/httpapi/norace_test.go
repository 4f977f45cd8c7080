//go:build !race

package httpapi_test

const manyKeys = 1000
