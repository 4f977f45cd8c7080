// Package openapi holds what keeps the services' OpenAPI documents true: a
// command that makes the served JSON from the written YAML, and package
// openapitest, which holds a running service to its document.
//
// It has no code of its own, so that no function links any of it.
package openapi

//go:generate go -C ../.. run ./shared/openapi/generate
