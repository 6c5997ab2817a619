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

// asDescribed writes a request in the words of the document, where it says
// that others mean the same: names of members in any case, and a JSON type of
// one's own.
func (d document) asDescribed(in *openapi3filter.RequestValidationInput, x exchange) *openapi3filter.RequestValidationInput {
	body := in.Route.Operation.RequestBody
	if body == nil || len(x.sent) == 0 {
		return in
	}
	mediaType, _, _ := strings.Cut(in.Request.Header.Get("Content-Type"), ";")
	content := body.Value.Content
	const ownJSON = "application/*+json"
	if content[ownJSON] != nil && content.Get(mediaType) == nil && strings.HasSuffix(mediaType, "+json") {
		mediaType = ownJSON
		in.Request.Header.Set("Content-Type", mediaType)
	}
	described := content.Get(mediaType)
	if _, anyCase := body.Value.Extensions["x-names-in-any-case"]; !anyCase || described == nil || strings.HasSuffix(mediaType, "xml") {
		return in
	}
	var value any
	if json.Unmarshal(bytes.TrimPrefix(x.sent, []byte("\ufeff")), &value) != nil {
		return in
	}
	folded, err := json.Marshal(refold(described.Schema.Value, value))
	if err != nil {
		return in
	}
	header := in.Request.Header
	in.Request = x.again(folded)
	in.Request.Header = header
	return in
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
