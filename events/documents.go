package events

import (
	"embed"
	"io/fs"
)

//go:embed catalogue.html
var catalogue string

//go:embed asyncapi.json
var asyncAPI string

//go:embed published
var published embed.FS

// Schemas are the published JSON Schemas: of each contract's data, as
// <publisher>/<type>.v<version>.json, and of the envelope, as event.v1.json.
func Schemas() fs.FS {
	schemas, err := fs.Sub(published, "published")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return schemas
}

// Catalogue is a page that shows all events, who publishes and who consumes them,
// whole in itself.
func Catalogue() string { return catalogue }

// AsyncAPI is the AsyncAPI 3 document of all events, as JSON.
func AsyncAPI() string { return asyncAPI }
