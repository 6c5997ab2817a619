package issuer

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func gatewayConfig() Config {
	return Config{URL: "gatehouse:default", Audiences: []string{"orders"}, JWKS: "https://api.example.com/.well-known/jwks.json"}
}

func TestAGatewayIsTrustedForItsAssertionsAlone(t *testing.T) {
	i, err := New(gatewayConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]header{
		"an access token":                  {"EdDSA", "k", "at+jwt"},
		"a token of its logins":            {"EdDSA", "k", "JWT"},
		"no typ":                           {"EdDSA", "k", ""},
		"an assertion by RSA":              {"RS256", "k", assertionType},
		"an assertion with a media type":   {"EdDSA", "k", "application/" + assertionType},
		"an assertion with another prefix": {"EdDSA", "k", "x-" + assertionType},
	} {
		if err := i.check(h); (err == nil) != (name == "an assertion with a media type") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"no realm":          func(c *Config) { c.URL = "gatehouse:" },
		"a realm of spaces": func(c *Config) { c.URL = "gatehouse:a b" },
		"a long realm":      func(c *Config) { c.URL = "gatehouse:" + strings.Repeat("a", maxAddress) },
		"no keys":           func(c *Config) { c.JWKS = "" },
		"keys in the clear": func(c *Config) { c.JWKS = "http://api.example.com/keys" },
		"no audience":       func(c *Config) { c.Audiences = nil },
		"another typ":       func(c *Config) { c.Types = []string{"JWT"} },
		"another algorithm": func(c *Config) { c.Algorithms = []string{"RS256"} },
		"an unknown claim":  func(c *Config) { c.Claims = map[string]string{"age": "{claim.age}"} },
	} {
		c := gatewayConfig()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAnAssertionSaysWhoAndWhichRequest(t *testing.T) {
	i, err := New(gatewayConfig())
	if err != nil {
		t.Fatal(err)
	}
	claims := func() map[string]any {
		return map[string]any{
			"sub": "7d0c", "username": "ann", "roles": []any{"editor"}, "scope": "x y",
			"htm": "GET", "host": "api.example.com", "path": "/a%2Fb",
		}
	}
	p, err := i.principal(claims())
	if err != nil || p.Username != "ann" || p.Subject != "gatehouse:default|7d0c" || !p.HasRole("editor") || !p.Scopes.Has("y") {
		t.Fatalf("got %+v, %v", p, err)
	}
	if p.Only == nil || *p.Only != (auth.Target{Method: "GET", Host: "api.example.com", Path: "/a%2Fb"}) {
		t.Errorf("it is about %+v", p.Only)
	}
	for _, name := range []string{"htm", "host", "path"} {
		for _, value := range []any{nil, "", 7} {
			c := claims()
			c[name] = value
			if p, err := i.principal(c); err == nil {
				t.Errorf("%s of %v: taken for %+v", name, value, p)
			}
		}
	}
	c := config(alpha) // another issuer binds to nothing, whatever it says
	other, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := other.principal(claims()); err != nil || p.Only != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}
