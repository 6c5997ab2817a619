package openapi_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/docs/openapi"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

// TestEveryTranscriptIsDescribed holds what every dialect is shown to answer
// against its document, moved to where the transcript's options put it.
func TestEveryTranscriptIsDescribed(t *testing.T) {
	for _, k := range table.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			shown := map[string]bool{}
			for _, path := range transcripts(t, k.Name) {
				tr := dialecttest.Load(t, path)
				d := load(t, k, dialecttest.Configure(t, k, tr.Options))
				d.shown = shown
				for _, e := range tr.Exchanges {
					t.Run(filepath.Base(path)+": "+e.Name, func(t *testing.T) {
						if err := d.check(read(t, e)); err != nil {
							t.Error(err)
						}
					})
				}
			}
			if !t.Failed() {
				load(t, k, dialect.Config{Base: k.Base}).unshown(t, shown)
			}
		})
	}
}

// transcripts lists the files of a dialect, whose folder is named as it is.
func transcripts(t testing.TB, name string) []string {
	t.Helper()
	folder := strings.ReplaceAll(name, "_", "")
	paths, err := filepath.Glob(filepath.Join("..", "..", "internal", "dialect", folder, "testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts of %s: %v", name, err)
	}
	return paths
}

// TestADocumentThatIsWrongIsNoticed changes the documents a little and wants
// at least one transcript to disagree.
func TestADocumentThatIsWrongIsNoticed(t *testing.T) {
	exchanges := map[string][]exchange{}
	for _, name := range table.Names() {
		exchanges[name] = atDefaults(t, name)
	}
	for _, c := range []struct{ name, dialect, from, to string }{
		{"a member that is missing", "management", `"expiresIn"`, `"lifetime"`},
		{"a member deep down", "management", `"countryCode": {"type": "string"}`, `"countryKey": {"type": "string"}`},
		{"a type", "management", `"customerId": {"type": "integer"}`, `"customerId": {"type": "string"}`},
		{"a constant", "management", `"clientSecret": {"const": ""`, `"clientSecret": {"const": "x"`},
		{"a status", "management", `"409"`, `"410"`},
		{"a status of guarded requests", "management", `"Refused413"`, `"Refused414"`},
		{"a header field that is required", "management", `"Retry-After": {"$ref": "#/components/headers/RetryAfter"}`, `"Retry-Later": {"$ref": "#/components/headers/RetryAfter"}`},
		{"a header field's value", "management", `^Bearer(`, `^Basic(`},
		{"a header field that nobody describes", "management", `"Allow": {"$ref": "#/components/headers/Allow"}`, `"Vary": {"schema": {}}`},
		{"a media type", "management", `"application/problem+json"`, `"application/json"`},
		{"a media type of requests", "management", `"text/json": {"schema": {"$ref": "#/components/schemas/LoginRequest"}}`, `"text/csv": {"schema": {"$ref": "#/components/schemas/LoginRequest"}}`},
		{"a required member of a request", "management", `"required": ["username", "password"]`, `"required": ["username", "password", "otp"]`},
		{"a credential that is needed", "management", `"in": "header"`, `"in": "query"`},
		{"a path", "management", `"/v1/auth/logout"`, `"/v1/auth/log-out"`},
		{"a method", "management", `"get": {`, `"put": {`},
		{"an element of XML", "timed_login", `"Message"`, `"Text"`},
		{"the root of XML", "timed_login", `"name": "RequestResult"`, `"name": "Result"`},
		{"a pattern", "timed_login", `\\.\\d{7}Z`, `\\.\\d{3}Z`},
		{"a status inside a body", "crm_token", `"const": "OK"`, `"const": "FINE"`},
		{"a member that is there now and then", "entity_token", `"userTokenExpired"`, `"tokenExpired"`},
		{"a form", "oauth2", `"application/x-www-form-urlencoded"`, `"multipart/form-data"`},
		{"an error of one status", "oauth2", `"const": "invalid_client"`, `"const": "unauthorized_client"`},
		{"a class of errors", "login_token", `"const": "not-authenticated"`, `"const": "unauthenticated"`},
		{"a number", "timed_login", `1008, 1101]`, `1101]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := table.Lookup(c.dialect)
			text, _ := openapi.Document(c.dialect)
			if !strings.Contains(string(text), c.from) {
				t.Fatalf("the document does not say %s", c.from)
			}
			wrong := parse(t, k, dialect.Config{Base: k.Base}, []byte(strings.ReplaceAll(string(text), c.from, c.to)))
			if !slices.ContainsFunc(exchanges[c.dialect], func(x exchange) bool { return wrong.check(x) != nil }) {
				t.Error("no transcript disagrees")
			}
		})
	}
}

// atDefaults returns the exchanges of a dialect without options.
func atDefaults(t testing.TB, name string) (list []exchange) {
	t.Helper()
	for _, path := range transcripts(t, name) {
		tr := dialecttest.Load(t, path)
		if tr.Options != "" {
			continue
		}
		for _, e := range tr.Exchanges {
			list = append(list, read(t, e))
		}
	}
	return list
}
