// Package openapi holds the OpenAPI 3.1 documents of the login dialects, one
// file each, named after the dialect: what its clients send and what they are
// answered. The gateway serves them where the option openapi is set.
//
// A document stands at the dialect's default paths. Its tests hold every
// golden transcript of the dialect against it, so that neither can change
// alone. A path or a method that it does not describe is answered with its
// response UnknownPath or WrongMethod, the question of a browser with
// Preflight, and a guarded request that is refused with the response Refused
// followed by the status.
package openapi

import (
	"embed"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.json
var documents embed.FS

// Document returns the document of a dialect as it stands in its file; false
// where there is none.
func Document(dialect string) ([]byte, bool) {
	text, err := documents.ReadFile(dialect + ".json")
	return text, err == nil
}

// At returns the document of a dialect whose calls stand elsewhere. moved says
// what has another name there: a path, with all below it, or the name of a
// header field. The most exact path counts.
func At(dialect string, moved map[string]string) ([]byte, bool) {
	text, ok := Document(dialect)
	if !ok {
		return nil, false
	}
	return jsonString.ReplaceAllFunc(text, func(quoted []byte) []byte {
		return rename(quoted, moved)
	}), true
}

// jsonString is a string of a JSON text, in its quotes.
var jsonString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// rename replaces a string that is a name in moved, or a path below one. A name
// of ours has no escapes, so that none has to be read.
func rename(quoted []byte, moved map[string]string) []byte {
	text := string(quoted[1 : len(quoted)-1])
	longest := ""
	for from := range moved {
		if len(from) > len(longest) && names(from, text) {
			longest = from
		}
	}
	if longest == "" {
		return quoted
	}
	renamed, err := json.Marshal(moved[longest] + text[len(longest):])
	if err != nil {
		return quoted // a string always marshals
	}
	return renamed
}

// names reports whether text is a name, or a path below it.
func names(name, text string) bool {
	rest, found := strings.CutPrefix(text, name)
	return found && (rest == "" || name[0] == '/' && rest[0] == '/')
}

// Paths lists the paths that a document describes, in order.
func Paths(document []byte) ([]string, error) {
	var described struct {
		Paths map[string]json.RawMessage `json:"paths"`
	}
	err := json.Unmarshal(document, &described)
	return slices.Sorted(maps.Keys(described.Paths)), err
}
