package events

import _ "embed" // of the documents

//go:embed catalogue.html
var catalogue string

//go:embed asyncapi.json
var asyncAPI string

// Catalogue is a page that shows all events, who publishes and who consumes them,
// whole in itself.
func Catalogue() string { return catalogue }

// AsyncAPI is the AsyncAPI 3 document of all events, as JSON.
func AsyncAPI() string { return asyncAPI }
