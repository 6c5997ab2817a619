package caddymodule

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func buildJSON(t *testing.T, text string) (gateway.Config, error) {
	t.Helper()
	var h Handler
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return h.build(ctx)
}

// TestJSONIsHeldToTheSameRules covers configurations that no Caddyfile could
// have made.
func TestJSONIsHeldToTheSameRules(t *testing.T) {
	const bearer = `"accept":[{"kind":"bearer"}]`
	for _, c := range []struct{ name, config, want string }{
		{"nothing is accepted", `{}`, "nothing is accepted"},
		{"a realm with a space", `{` + bearer + `,"realm":"a b"}`, "realm"},
		{"an unknown mode", `{` + bearer + `,"mode":"dry"}`, "mode"},
		{"a method that is never forwarded", `{` + bearer + `,"methods":["TRACE"]}`, "TRACE"},
		{"errors of a dialect that is not there", `{` + bearer + `,"errors":"management"}`, "no login management"},
		{"an unknown credential", `{"accept":[{"kind":"cookie"}]}`, "cookie"},
		{"a credential twice", `{"accept":[{"kind":"bearer"},{"kind":"bearer"}]}`, "twice"},
		{"an unknown dialect", `{"logins":[{"dialect":"ldap"}]}`, "ldap"},
		{"an option that a dialect does not have", `{"logins":[{"dialect":"management","options":{"colour":["red"]}}]}`, "colour"},
		{"an option that a dialect refuses", `{"logins":[{"dialect":"timed_login","format":"jwt"}]}`, "GUID"},
		{"a life below zero", `{"logins":[{"dialect":"management","ttl":-1}]}`, "ttl"},
		{"a body below zero", `{"logins":[{"dialect":"management","max_body":-1}]}`, "max_body"},
		{"a base path with a slash at its end", `{"logins":[{"dialect":"management","base":"/v1/"}]}`, "/v1/"},
		{"attempts of zero", `{"logins":[{"dialect":"management","attempts":{"events":0,"window":1}}]}`, "attempts"},
		{"a rate without a window", `{` + bearer + `,"rate":{"events":5}}`, "rate"},
		{"a rate with an unknown key", `{` + bearer + `,"rate":{"events":5,"window":1,"key":"host"}}`, "host"},
		{"an identity field that a credential stands in", `{"accept":[{"kind":"api_key"}],"identity":{"headers":[{"field":"X-Api-Key","value":"a"}]}}`, "X-Api-Key"},
		{"an identity field without a value", `{` + bearer + `,"identity":{"headers":[{"field":"X-User"}]}}`, "X-User"},
		{"an assertion for nobody", `{` + bearer + `,"identity":{"assertion":{}}}`, "audience"},
		{"an assertion for whomever a request names", `{` + bearer + `,"identity":{"assertion":{"audience":["{http.request.host}"]}}}`, "placeholder"},
		{"an assertion that lives too long", `{` + bearer + `,"identity":{"assertion":{"audience":["a"],"ttl":"2m"}}}`, "ttl"},
		{"an assertion in the field of a key", `{"accept":[{"kind":"api_key"}],"identity":{"assertion":{"audience":["a"],"field":"x-api-key"}}}`, "x-api-key"},
		{"an assertion in the place of another field", `{` + bearer + `,"identity":{"headers":[{"field":"X-P","value":"a"}],"assertion":{"audience":["a"],"field":"x_p"}}}`, "twice"},
		{"a public rule that says nothing", `{` + bearer + `,"public":[{}]}`, "public"},
		{"a public rule with an empty matcher set", `{` + bearer + `,"public":[{"match":[{}]}]}`, "every request"},
		{"a public rule with an empty set beside another", `{` + bearer + `,"public":[{"match":[{"path":["/a"]},{}]}]}`, "every request"},
		{"a matcher that does not exist", `{` + bearer + `,"public":[{"match":[{"moon":{}}]}]}`, "moon"},
		{"a path that no request has", `{` + bearer + `,"public":[{"paths":["//"]}]}`, "//"},
		{"a requirement that says nothing", `{` + bearer + `,"require":[{"paths":["/a"]}]}`, "require"},
		{"an unknown permission", `{` + bearer + `,"require":[{"permissions":["admin"]}]}`, "admin"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := buildJSON(t, c.config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}

func TestBuild(t *testing.T) {
	cfg, err := buildJSON(t, `{
		"logins": [{"dialect":"timed_login","base":"/api/login","ttl":"20s","max_body":1024,
			"attempts":{"events":3,"window":"1m"},"options":{"remember_expired":["1m"]}}],
		"accept": [{"kind":"api_key","name":"X-Licence"}],
		"public": [{"paths":["/a"]},{"match":[{"method":["PUT"]}]}],
		"require": [{"paths":["/b"],"permissions":["read","create"],"roles":["x"]}],
		"identity": {"headers":[{"field":"x-user","value":"{http.auth.user.id}"}],"keep_credentials":true},
		"rate": {"events":5,"window":"1s"},
		"mode": "observe"
	}`)
	if err != nil {
		t.Fatal(err)
	}
	l := cfg.Logins[0]
	if l.Config.Base != "/api/login" || l.Config.TTL != 20*time.Second || l.Config.MaxBody != 1024 ||
		l.Attempts.Events != 3 || l.Attempts.Window != time.Minute || l.Config.Arg("remember_expired", "") != "1m" {
		t.Errorf("login %+v, attempts %v", l.Config, l.Attempts)
	}
	if !cfg.Observe || !cfg.KeepCredentials || cfg.Fields[0].Name != "X-User" {
		t.Errorf("observe %v, keep %v, fields %v", cfg.Observe, cfg.KeepCredentials, cfg.Fields)
	}
	if cfg.Rate.By != gateway.RateByCredential || cfg.Rate.Limit.Events != 5 {
		t.Errorf("rate %+v", cfg.Rate)
	}
	if got := cfg.Require[0].Permissions; len(got) != 2 || got[0] != auth.Read || got[1] != auth.Create {
		t.Errorf("permissions %v", got)
	}
	for method, want := range map[string]bool{"PUT": true, "GET": false} {
		if got, err := cfg.Public[1].Match(httptest.NewRequest(method, "/", nil)); got != want || err != nil {
			t.Errorf("the matcher says %v to %s, error %v", got, method, err)
		}
	}
	if _, err := gateway.New(cfg); err != nil {
		t.Error(err)
	}
}
