package openapi_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/docs/openapi"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

func TestADocumentMovesWithItsCalls(t *testing.T) {
	for _, c := range []struct {
		name  string
		moved map[string]string
		want  []string
	}{
		{"nowhere", nil, []string{"/v1/auth/login", "/v1/auth/logout", "/v1/auth/user"}},
		{"to another base path", map[string]string{"/v1/auth": "/api"}, []string{"/api/login", "/api/logout", "/api/user"}},
		{"apart, each path by the name that is most exact", map[string]string{"/v1/auth": "/api", "/v1/auth/login": "/in"}, []string{"/api/logout", "/api/user", "/in"}},
		{"not by half a name", map[string]string{"/v1/auth/log": "/x", "/v1/au": "/y"}, []string{"/v1/auth/login", "/v1/auth/logout", "/v1/auth/user"}},
		{"not twice", map[string]string{"/v1/auth": "/v1/auth/v1/auth"}, []string{"/v1/auth/v1/auth/login", "/v1/auth/v1/auth/logout", "/v1/auth/v1/auth/user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, ok := openapi.At("management", c.moved)
			if !ok {
				t.Fatal("there is no document of management")
			}
			if got, err := openapi.Paths(text); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("paths %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestAHeaderFieldIsRenamedWhereItStandsAlone(t *testing.T) {
	text, _ := openapi.At("management", map[string]string{"x-api-key": "X-Licence-Key"})
	if !bytes.Contains(text, []byte(`"name": "X-Licence-Key"`)) || bytes.Contains(text, []byte(`"x-api-key"`)) {
		t.Error("the field has its old name")
	}
	if text, _ := openapi.At("management", map[string]string{"x-api": "X"}); bytes.Contains(text, []byte("X-key")) {
		t.Error("half a name was replaced")
	}
}

// TestNoTextBreaksOut of its quotes, whatever a path is configured to be.
func TestNoTextBreaksOut(t *testing.T) {
	text, _ := openapi.At("management", map[string]string{"/v1/auth": `/a"b\c`})
	var described struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(text, &described); err != nil {
		t.Fatal(err)
	}
	if described.Paths[`/a"b\c/login`] == nil {
		t.Errorf("paths %v", described.Paths)
	}
}

func TestWhatHasNoDocument(t *testing.T) {
	for _, name := range []string{"", "ldap", "../openapi/management", "management.json"} {
		if _, ok := openapi.Document(name); ok {
			t.Errorf("Document(%q) found one", name)
		}
		if _, ok := openapi.At(name, nil); ok {
			t.Errorf("At(%q) found one", name)
		}
	}
}

// TestEveryPathBelongsToItsDialect: a path that no name moves would stand in
// the document wherever the dialect is.
func TestEveryPathBelongsToItsDialect(t *testing.T) {
	for _, k := range table.Kinds() {
		text, _ := openapi.Document(k.Name)
		paths, err := openapi.Paths(text)
		if err != nil || len(paths) == 0 {
			t.Errorf("%s describes %d paths: %v", k.Name, len(paths), err)
		}
		d := parse(t, k, dialect.Config{Base: k.Base}, text)
		for _, path := range paths {
			if !slices.ContainsFunc(d.routes, func(r dialect.Route) bool { return r.Covers(path) }) {
				t.Errorf("%s does not answer %s", k.Name, path)
			}
		}
	}
}
