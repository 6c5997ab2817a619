package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const boundedBlock = `
		login management {
			format jwt
		}
		accept bearer api_key
		accept api_key X-One
		accept api_key X-Two
		accept query one
		accept query two
		accept basic
		accept body token
		insecure_http
		errors problem
		public /open/*
		identity {
			header X-Told {http.request.header.X-Asked}
			assertion {
				audience orders
			}
		}`

// TestWholeBounds drives what docs/configuration.md lists as bounds of a request.
func TestWholeBounds(t *testing.T) {
	w := startSetting(t, setting{options: "\tservers {\n\t\tmax_header_size 512KiB\n\t}", sites: guardedSite(boundedBlock)})
	_, key := w.ann()
	good := "x-api-key: " + key
	just := strings.Repeat("k", bearer.MaxValue)
	for name, c := range map[string]struct {
		method, path, body string
		fields             []string
		status             int // 200 is the upstream's
	}{
		"a header as long as can be":           {"GET", "/x", "", []string{good, "X-Long: " + strings.Repeat("a", 500<<10)}, 200},
		"a header that is longer":              {"GET", "/x", "", []string{good, "X-Long: " + strings.Repeat("a", 520<<10)}, 431},
		"thousands of fields":                  {"GET", "/x", "", append([]string{good}, manyFields(9000)...), 200},
		"more of them than fit":                {"GET", "/x", "", append([]string{good}, manyFields(70000)...), 431},
		"a long Connection":                    {"GET", "/x", "", []string{good, "Connection: " + strings.Repeat("a,", 200<<10)}, 200},
		"a long query":                         {"GET", "/x?" + strings.Repeat("a", 400<<10) + "&one=" + key[:3], "", nil, 401},
		"a query of many members":              {"GET", "/x?" + strings.Repeat("a=b&", 100<<10), "", []string{good}, 200},
		"a key as long as can be":              {"GET", "/x", "", []string{"X-Api-Key: " + just}, 401},
		"a key that is longer":                 {"GET", "/x", "", []string{"X-Api-Key: " + just + "k"}, 401},
		"an Authorization that is longer":      {"GET", "/x", "", []string{"Authorization: Bearer " + just + "k"}, 401},
		"an Authorization of 400 KiB":          {"GET", "/x", "", []string{"Authorization: Bearer " + strings.Repeat("k", 400<<10)}, 401},
		"a Basic that is longer":               {"GET", "/x", "", []string{"Authorization: Basic " + just + "kkkk"}, 401},
		"a value in the query that is longer":  {"GET", "/x?one=" + just + "k", "", nil, 401},
		"a value in the body that is longer":   {"POST", "/x", `{"token":"` + just + `k"}`, nil, 401},
		"such a value on a public path":        {"GET", "/open/x", "", []string{"X-Api-Key: " + just + "k"}, 200},
		"four credentials":                     {"GET", "/x?one=a&two=b", "", []string{"X-One: " + key, "X-Two: " + key}, 401},
		"five credentials":                     {"GET", "/x?one=a&two=b", "", []string{"X-One: " + key, "X-Two: " + key, good}, 400},
		"a body of many levels":                {"POST", "/x", `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `,"token":"nobody's"}`, nil, 401},
		"a body of more levels than JSON has":  {"POST", "/x", `{"a":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `,"token":"nobody's"}`, nil, 401},
		"a path as long as can be asserted":    {"GET", "/" + strings.Repeat("p", 4000), "", []string{good}, 200},
		"a path that is longer":                {"GET", "/" + strings.Repeat("p", 4100), "", []string{good}, 413},
		"a value as long as can be told":       {"GET", "/x", "", []string{good, "X-Asked: " + strings.Repeat("ü", 2<<10)}, 200},
		"a value that is longer":               {"GET", "/x", "", []string{good, "X-Asked: " + strings.Repeat("a", 4<<10) + "a"}, 413},
		"a value that is longer than anything": {"GET", "/x", "", []string{good, "X-Asked: " + strings.Repeat("ü", 200<<10)}, 413},
	} {
		w.run(name, func(t *testing.T) {
			a := w.do(c.method, c.path, c.body, c.fields...)
			if a.status != c.status || (a.seen != nil) != (c.status == http.StatusOK) {
				t.Fatalf("answered %d, want %d: %.300s", a.status, c.status, a)
			}
			if a.seen == nil {
				return
			}
			for field, values := range a.seen.Header {
				if told := strings.HasPrefix(field, "X-Auth-") || field == "X-Told"; told && len(values[0]) > 12<<10 {
					t.Errorf("the upstream is told %s of %d bytes", field, len(values[0]))
				}
			}
		})
	}
	w.run("no line of the audit log is longer than what it is for", func(t *testing.T) {
		w.refused(w.get("/"+strings.Repeat("p", 300<<10)), http.StatusUnauthorized)
		text, err := os.ReadFile(filepath.Join(w.dir, "caddy.log"))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte(`"logger":"`+auditLogger+`"`)) {
				continue
			}
			if lines++; len(line) > 4<<10 {
				t.Errorf("a line of %d bytes: %.200s", len(line), line)
			}
		}
		if lines == 0 {
			t.Error("there is no audit line")
		}
	})
}

// manyFields returns as many fields of one letter.
func manyFields(n int) []string { return slices.Repeat([]string{"X-A: b"}, n) }

// TestWholeNamesAsManyAsCanBe: who has the most roles and scopes that can be
// given is still a caller that an upstream can be told of, and whose JWT counts.
func TestWholeNamesAsManyAsCanBe(t *testing.T) {
	w := start(t, boundedBlock)
	names := make([]string, auth.MaxNames)
	for i := range names {
		names[i] = fmt.Sprintf("%023d", i)
	}
	tenant, err := w.admin(gateway.DefaultRealm).AddTenant(t.Context(), strings.Repeat("T", 250))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.account(admin.NewAccount{Username: annName, Password: auth.NewSecret(annPassword), Roles: names, Tenant: tenant.Name})
	if err := w.admin(gateway.DefaultRealm).AddMember(t.Context(), annName, tenant.Name, "", names); err != nil {
		t.Fatal(err)
	}
	_, key, err := w.admin(gateway.DefaultRealm).CreateKey(t.Context(), admin.NewKey{Account: annName, Tenant: tenant.Name, Scopes: names})
	if err != nil {
		t.Fatal(err)
	}
	jwt := w.login(annName, annPassword)
	if strings.Count(jwt, ".") != 2 || len(jwt) > bearer.MaxValue {
		t.Fatalf("a token of %d bytes", len(jwt))
	}
	if got := w.passed(w.get("/x", bearerOf(jwt))).Header.Get("X-Auth-Roles"); got != strings.Join(names, ",") {
		t.Errorf("the upstream is told the roles %q", got)
	}
	got := w.passed(w.get("/x", "x-api-key: "+key.Reveal())).Header
	if got.Get("X-Auth-Scopes") != strings.Join(names, ",") {
		t.Errorf("the upstream is told the scopes %q", got.Get("X-Auth-Scopes"))
	}
	if whole := len(got.Get("X-Auth-Roles")); whole != 2*auth.MaxNamesLength-1 {
		t.Errorf("the roles of an account and of a tenant have %d bytes", whole)
	}
	for field, values := range got {
		if len(values[0]) > 8<<10 {
			t.Errorf("%s has %d bytes", field, len(values[0]))
		}
	}
	// Beside so much a path has less room, which is the caller's fault.
	w.refused(w.get("/"+strings.Repeat("p", 3000), "x-api-key: "+key.Reveal()), http.StatusRequestEntityTooLarge)
	w.passed(w.get("/"+strings.Repeat("p", 200), "x-api-key: "+key.Reveal()))
}
