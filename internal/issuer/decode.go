package issuer

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// decode reads a JSON object. go-jose's decoder refuses a member that stands
// twice and compares names to the letter, where encoding/json lets the last
// win and folds case: two readers of one token must not see two things.
func decode(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, errors.New("it is no JSON object, or a member stands twice")
	}
	if members == nil { // the text null
		return nil, errors.New("it is no JSON object")
	}
	return members, nil
}

// strict decodes base64url and refuses padding and trailing bits. It still
// skips line breaks, so its input is checked with [isBase64URL] first.
var strict = base64.RawURLEncoding.Strict()

// isBase64URL reports whether text is one or more characters of the base64url
// alphabet and nothing else.
func isBase64URL(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}

// texts reads a string or a list of strings; false for anything else.
func texts(value any) ([]string, bool) {
	if s, ok := value.(string); ok {
		return []string{s}, true
	}
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	all := make([]string, len(list))
	for i, v := range list {
		if all[i], ok = v.(string); !ok {
			return nil, false
		}
	}
	return all, true
}
