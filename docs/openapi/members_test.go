package openapi_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Bodies of requests may have members that no schema names, so a member that
// a document names wrongly would pass. Hence each has to be sent by somebody.

// sent notes which members of its schema a request that succeeded has.
func (d document) sent(in *openapi3filter.RequestValidationInput, body []byte) {
	op := in.Route.Operation
	if op.RequestBody == nil || len(body) == 0 {
		return
	}
	mediaType, _, _ := strings.Cut(in.Request.Header.Get("Content-Type"), ";")
	if described := op.RequestBody.Value.Content.Get(mediaType); described != nil {
		d.note(op.OperationID, described.Schema, decodeAny(mediaType, described.Schema, body))
	}
}

// decodeAny returns the members of a body, nil where it has none.
func decodeAny(mediaType string, schema *openapi3.SchemaRef, body []byte) (value any) {
	switch {
	case isXML(mediaType):
		value, _ = decodeXML(bytes.NewReader(body), nil, schema, nil)
	case strings.HasSuffix(mediaType, "urlencoded"):
		form, _ := url.ParseQuery(string(body))
		members := map[string]any{}
		for name := range form {
			members[name] = form.Get(name)
		}
		value = members
	default:
		_ = json.Unmarshal(body, &value)
	}
	return value
}

// note follows a value down its schema. A member is known by the schema that
// has a name nearest above it, which several requests may share.
func (d document) note(place string, ref *openapi3.SchemaRef, value any) {
	place, schema := named(place, ref), ref.Value
	for _, part := range alternatives(schema) {
		d.note(place, part, value)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if p := schema.Properties[name]; p != nil {
				d.shown[place+"."+name] = true
				d.note(place+"."+name, p, member)
			}
		}
	case []any:
		for _, item := range value {
			if schema.Items != nil {
				d.note(place, schema.Items, item)
			}
		}
	}
}

func named(place string, ref *openapi3.SchemaRef) string {
	if ref.Ref != "" {
		return ref.Ref
	}
	return place
}

// unsent reports the members of requests that no transcript sends.
func (d document) unsent(t *testing.T, op *openapi3.Operation, shown map[string]bool) {
	t.Helper()
	if op.RequestBody == nil {
		return
	}
	all := map[string]bool{}
	for _, described := range op.RequestBody.Value.Content {
		members(all, op.OperationID, described.Schema)
	}
	for member := range all {
		if !shown[member] {
			t.Errorf("no transcript sends %s", member)
		}
	}
}

// members lists what note can note.
func members(all map[string]bool, place string, ref *openapi3.SchemaRef) {
	place, schema := named(place, ref), ref.Value
	for name, p := range schema.Properties {
		all[place+"."+name] = true
		members(all, place+"."+name, p)
	}
	if schema.Items != nil {
		members(all, place, schema.Items)
	}
	for _, part := range alternatives(schema) {
		members(all, place, part)
	}
}

// alternatives are the schemas that a schema is made of.
func alternatives(schema *openapi3.Schema) openapi3.SchemaRefs {
	return slices.Concat(schema.AllOf, schema.AnyOf, schema.OneOf)
}
