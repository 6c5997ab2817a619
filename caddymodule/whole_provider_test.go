package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// bobsHash is bcrypt of "hiccup", at its cheapest.
const bobsHash = "$2a$04$Pi7N7BecJgkdwiyvGe5x2OKWQB6oxOXAgBXPakBk8/JXdw8Y/w7ca"

// providerConfig is a server whose authentication handler has our provider and
// these others: Caddy has no directive for that, so it is JSON.
func providerConfig(others string) string {
	return `{
	"admin": {"disabled": true, "config": {"persist": false}},
	"logging": {"logs": {"default": {
		"writer": {"output": "file", "filename": "DIR/caddy.log"}, "encoder": {"format": "gatehouse"}, "level": "DEBUG"}}},
	"apps": {
		"gatehouse": {"store": {"engine": "sqlite", "path": "DIR/gatehouse.db"}},
		"http": {"servers": {"srv0": {
			"listen": ["HOST"],
			"automatic_https": {"disable": true},
			"routes": [{"handle": [
				{"handler": "headers", "request": {"delete": ["X-Caller"]}},
				{"handler": "authentication", "providers": {
					"gatehouse": {"accept": [{"kind": "bearer"}, {"kind": "api_key", "name": "X-Key"}]}` + others + `}},
				{"handler": "headers", "request": {"set": {"X-Caller": ["{http.auth.user.id}/{http.auth.user.username}/{http.auth.user.roles}"]}}},
				{"handler": "reverse_proxy", "upstreams": [{"dial": "BEHIND"}]}
			]}]
		}}}
	}
}`
}

func startProvider(t *testing.T, others string) *whole {
	t.Helper()
	w := prepare(t)
	text := strings.NewReplacer("HOST", w.host(), "BEHIND", strings.TrimPrefix(w.upstream, "http://")).Replace(providerConfig(others))
	w.loadJSON([]byte(w.fill(text)))
	return w
}

func TestWholeProvider(t *testing.T) {
	w := startProvider(t, "")
	eve, _ := w.account(admin.NewAccount{Username: "eve", Roles: []string{"a", "b"}})
	_, token := w.token("eve", "")
	_, key, err := w.admin(gateway.DefaultRealm).CreateKey(t.Context(), admin.NewKey{Account: "eve"})
	if err != nil {
		t.Fatal(err)
	}

	w.run("Caddy's handler lets a good credential pass and knows the caller", func(t *testing.T) {
		for _, field := range []string{bearerOf(token), "X-Key: " + key.Reveal()} {
			if got, want := w.passed(w.get("/x", field)).Header.Get("X-Caller"), eve.ID+"/eve/a,b"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
	w.run("a request without one or with a bad one is refused with our challenge", func(t *testing.T) {
		for _, field := range []string{"X-Nothing: here", bearerOf("nothing"), "X-Key: api_nothing", "x-api-key: " + key.Reveal()} {
			got := w.get("/x", field)
			if got.status != http.StatusUnauthorized || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), `Bearer realm="default"`) {
				t.Error(got)
			}
		}
	})
	w.run("a revoked token is refused from the next request on", func(t *testing.T) {
		if _, err := w.admin(gateway.DefaultRealm).RevokeTokens(t.Context(), "eve"); err != nil {
			t.Fatal(err)
		}
		if got := w.get("/x", bearerOf(token)); got.status != http.StatusUnauthorized || got.seen != nil {
			t.Error(got)
		}
	})
	w.run("with the store out of reach nothing passes", func(t *testing.T) {
		if err := w.runtime().Store.Close(); err != nil {
			t.Fatal(err)
		}
		// Caddy's handler has no other answer for an error of a provider.
		if got := w.get("/x", bearerOf("another")); got.status != http.StatusUnauthorized || got.seen != nil {
			t.Error(got)
		}
	})
}

func TestWholeProviderBesideBasicAuth(t *testing.T) {
	w := startProvider(t, `, "http_basic": {"hash": {"algorithm": "bcrypt"}, "accounts": [{"username": "bob", "password": "`+bobsHash+`"}]}`)
	w.account(admin.NewAccount{Username: "eve"})
	_, token := w.token("eve", "")
	for name, c := range map[string]struct{ field, caller string }{
		"ours":      {bearerOf(token), "/eve/"},
		"Caddy's":   {"Authorization: Basic Ym9iOmhpY2N1cA==", "bob/"},
		"a bad one": {"Authorization: Basic Ym9iOndyb25n", ""},
		"none":      {"X-Nothing: here", ""},
	} {
		w.run(name, func(t *testing.T) {
			got := w.get("/x", c.field)
			if c.caller == "" {
				if got.status != http.StatusUnauthorized || got.seen != nil {
					t.Error(got)
				}
				return
			}
			if caller := w.passed(got).Header.Get("X-Caller"); !strings.Contains(caller, c.caller) {
				t.Errorf("the upstream was told %q", caller)
			}
		})
	}
}

// Both guards stand before the upstream, ours first; each asks for its own.
func TestWholeGuardBesideBasicAuth(t *testing.T) {
	w := startSetting(t, setting{sites: fmt.Sprintf(`SITE {
	gatehouse {
		accept bearer api_key
	}
	basic_auth /team/* {
		bob %s
	}
	request_header X-Caller {http.auth.user.id}
	reverse_proxy UPSTREAM
}
`, bobsHash)})
	eve, key := w.account(admin.NewAccount{Username: "eve"})
	ours, theirs := "x-api-key: "+key, "Authorization: Basic Ym9iOmhpY2N1cA=="
	w.run("a path with both needs both, and the last one names the caller", func(t *testing.T) {
		w.refused(w.get("/team/x", theirs), http.StatusUnauthorized)
		if got := w.get("/team/x", ours); got.status != http.StatusUnauthorized || got.seen != nil {
			t.Error(got)
		}
		got := w.passed(w.get("/team/x", ours, theirs))
		if got.Header.Get("X-Caller") != "bob" || got.Header.Get("X-Auth-Subject") != eve.ID {
			t.Errorf("the upstream was told %v", got.Header)
		}
	})
	w.run("another path needs ours alone", func(t *testing.T) {
		if got := w.passed(w.get("/x", ours)); got.Header.Get("X-Caller") != eve.ID {
			t.Errorf("the upstream was told %v", got.Header)
		}
	})
}
