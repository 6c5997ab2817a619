package openapi_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// TestMain teaches the validator the media types that it does not know, and
// that T and Z of a date may be in lower case (RFC 3339 section 5.6).
func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/json", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/xml", decodeXML)
	openapi3filter.RegisterBodyDecoder("text/xml", decodeXML)
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(text string) error {
		_, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		return err
	}))
	os.Exit(m.Run())
}

// element is any element of XML.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// decodeXML reads a body as its schema says (OpenAPI 3.1, "XML Object"): the
// root has the schema's name, children are properties, arrays are wrapped.
func decodeXML(body io.Reader, _ http.Header, schema *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	var root element
	in := xml.NewDecoder(body)
	in.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if err := in.Decode(&root); err != nil {
		return nil, err
	}
	if want := schema.Value.XML.Name; root.XMLName.Local != want {
		return nil, fmt.Errorf("the root is %s, not %s", root.XMLName.Local, want)
	}
	return root.value(schema.Value), nil
}

func (e element) value(schema *openapi3.Schema) any {
	switch {
	case schema.Type.Is("object"):
		return e.object(schema)
	case schema.Type.Is("array"):
		list := []any{}
		for _, c := range e.Children {
			if c.XMLName.Local != schema.Items.Value.XML.Name {
				return nil // no array
			}
			list = append(list, c.value(schema.Items.Value))
		}
		return list
	case schema.Type.Is("integer"):
		if n, err := strconv.ParseInt(strings.TrimSpace(e.Text), 10, 64); err == nil {
			return float64(n)
		}
	}
	return e.Text
}

func (e element) object(schema *openapi3.Schema) map[string]any {
	members := map[string]any{}
	for _, c := range e.Children {
		property := &openapi3.Schema{}
		if p := schema.Properties[c.XMLName.Local]; p != nil {
			property = p.Value
		}
		members[c.XMLName.Local] = c.value(property)
	}
	return members
}
