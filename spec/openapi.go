package spec

import _ "embed"

// OpenAPI is the description of the control plane's HTTP API, in YAML. Its schemas
// of the kinds are generated from [Kind.JSONSchema].
//
//go:embed openapi.yaml
var OpenAPI []byte
