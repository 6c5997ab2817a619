package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// present takes a credential for good that stands where its scheme says: the
// exchange succeeded with it.
func present(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	r, scheme := in.RequestValidationInput.Request, in.SecurityScheme
	found := r.Header.Get("Authorization") != ""
	switch {
	case scheme.Type == "apiKey" && scheme.In == "header":
		found = r.Header.Get(scheme.Name) != ""
	case scheme.Type == "apiKey":
		found = r.URL.Query().Has(scheme.Name)
	}
	if !found {
		return errors.New("no credential " + in.SecuritySchemeName)
	}
	return nil
}

// asDescribed writes a request in the words of the document, where extensions
// of its body say that others mean the same: names of members in any case,
// another media type or none, and a JSON type of one's own. White space alone
// is no body. It returns the body.
func (d document) asDescribed(in *openapi3filter.RequestValidationInput, x exchange) []byte {
	body := in.Route.Operation.RequestBody
	if body == nil {
		return nil
	}
	header := in.Request.Header
	sent := bytes.TrimPrefix(x.sent, []byte("\ufeff"))
	mediaType := describedType(body.Value, header.Get("Content-Type"))
	if described := body.Value.Content.Get(mediaType); described != nil && says(body.Value, "x-names-in-any-case") && !isXML(mediaType) {
		sent = refolded(described.Schema.Value, sent)
	}
	if len(bytes.TrimSpace(sent)) == 0 {
		sent = nil
	}
	in.Request = x.again(sent)
	in.Request.Header = header
	header.Set("Content-Type", mediaType)
	return sent
}

func says(body *openapi3.RequestBody, extension string) bool {
	_, found := body.Extensions[extension]
	return found
}

// describedType returns the type of the document for that of a request.
func describedType(body *openapi3.RequestBody, field string) string {
	const ownJSON = "application/*+json"
	if says(body, "x-any-media-type") {
		return "application/json"
	}
	mediaType, _, _ := strings.Cut(field, ";")
	if body.Content[ownJSON] != nil && body.Content.Get(mediaType) == nil && strings.HasSuffix(mediaType, "+json") {
		return ownJSON
	}
	return field
}

func isXML(mediaType string) bool { return strings.Contains(mediaType, "xml") }

// refolded returns a JSON text with the names of the schema, text itself where
// it is none.
func refolded(schema *openapi3.Schema, text []byte) []byte {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return text
	}
	folded, err := json.Marshal(refold(schema, value))
	if err != nil {
		return text
	}
	return folded
}

// refold spells the names of members as the schema does.
func refold(schema *openapi3.Schema, value any) any {
	switch value := value.(type) {
	case map[string]any:
		folded := map[string]any{}
		for name, member := range value {
			name = spelled(schema, name)
			if p := schema.Properties[name]; p != nil {
				member = refold(p.Value, member)
			}
			folded[name] = member
		}
		return folded
	case []any:
		for i := range value {
			if schema.Items != nil {
				value[i] = refold(schema.Items.Value, value[i])
			}
		}
	}
	return value
}

func spelled(schema *openapi3.Schema, name string) string {
	for property := range schema.Properties {
		if foldASCII(property) == foldASCII(name) {
			return property
		}
	}
	return name
}

func foldASCII(text string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, text)
}

func unescape(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		return text
	}
	return segment
}
