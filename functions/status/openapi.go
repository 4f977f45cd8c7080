package status

import _ "embed"

// OpenAPI is the service's published contract as JSON. openapi.yaml is what
// people write; it is turned into JSON beforehand, because a function that reads
// YAML starts later for all who call it.
//
//go:embed openapi.json
var OpenAPI []byte
