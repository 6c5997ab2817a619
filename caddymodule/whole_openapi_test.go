package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestWholeOpenAPI(t *testing.T) {
	w := start(t, `
		login management /api/session {
			key_header X-Licence-Key
			openapi
		}
		login timed_login /api/login {
			openapi /docs/login.json
		}
		insecure_http`)

	for path, call := range map[string]string{"/api/session/openapi.json": "/api/session/user", "/docs/login.json": "/api/login/advAuth"} {
		w.run("anyone reads "+path+" and finds the calls where they stand", func(t *testing.T) {
			a := w.get(path)
			var document struct {
				OpenAPI string         `json:"openapi"`
				Paths   map[string]any `json:"paths"`
			}
			if err := json.Unmarshal([]byte(a.body), &document); err != nil || a.status != http.StatusOK {
				t.Fatal(err, a)
			}
			if !strings.HasPrefix(document.OpenAPI, "3.1.") || document.Paths[call] == nil {
				t.Errorf("OpenAPI %q with the paths %v", document.OpenAPI, document.Paths)
			}
		})
	}
	w.run("what stands beside a document is guarded as before", func(t *testing.T) {
		w.refused(w.get("/docs/other.json"), http.StatusUnauthorized)
	})
}
