package caddymodule

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// bothDialects is a guard that answers both login APIs and takes every kind of
// credential.
const bothDialects = `
		login management /v1/auth
		login timed_login /api/login
		accept bearer
		accept api_key
		accept key_user_token
		accept basic
		accept query Token
		insecure_http`

func TestWholeLogins(t *testing.T) {
	w := start(t, bothDialects)
	ann, key := w.ann("editor", "admin")

	w.run("a token of management opens guarded paths and logout closes them from the next request on", func(t *testing.T) {
		token := w.login(annName, annPassword)
		got := w.passed(w.get("/things?a=1&b=2", bearerOf(token)))
		assertIdentity(t, got, ann.ID, "bearer")
		if got.URI != "/things?a=1&b=2" {
			t.Errorf("the upstream was asked for %s", got.URI)
		}
		if a := w.post("/v1/auth/logout", "{}", bearerOf(token), jsonType); a.status != http.StatusOK {
			t.Fatal(a)
		}
		w.refused(w.get("/things", bearerOf(token)), http.StatusUnauthorized)
		if a := w.post("/v1/auth/logout", "{}", bearerOf(token), jsonType); a.status != http.StatusOK {
			t.Fatal("a second logout: ", a)
		}
	})
	w.run("a token of timed_login opens guarded paths, whether asked for by JSON or XML", func(t *testing.T) {
		for _, l := range timedLogins(annName, key) {
			a := w.post("/api/login", l.body, "Content-Type: "+l.media)
			if a.status != http.StatusOK {
				t.Fatal(a)
			}
			token := l.tokenIn(t, a.body)
			got := w.passed(w.get("/things?x=1&Token="+token+"&y=2", "Referer: "+w.site))
			assertIdentity(t, got, ann.ID, "query")
			if got.URI != "/things?x=1&y=2" {
				t.Errorf("by %s the upstream was asked for %s", l.media, got.URI)
			}
		}
	})
	w.run("no credential reaches the upstream, whichever was accepted", func(t *testing.T) {
		token := w.login(annName, annPassword)
		for kind, fields := range map[string][]string{
			"bearer":         {bearerOf(token)},
			"api_key":        {"x-api-key: " + key},
			"basic":          {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))},
			"key_user_token": {"apikey: " + key, "userid: " + annName, "token: " + token},
		} {
			got := w.passed(w.get("/things", fields...))
			assertIdentity(t, got, ann.ID, kind)
			for name, values := range got.Header {
				if text := strings.Join(values, ","); strings.Contains(text, key) || strings.Contains(text, token) {
					t.Errorf("%s: the upstream saw %s: %s", kind, name, text)
				}
			}
			for _, name := range []string{"Authorization", "X-Api-Key", "Apikey", "Userid", "Token"} {
				if got.Header.Get(name) != "" {
					t.Errorf("%s: the upstream saw %s", kind, name)
				}
			}
		}
	})
	w.run("without a good credential nothing is forwarded", func(t *testing.T) {
		for _, fields := range [][]string{
			nil,
			{"Authorization: Bearer gh_nothing"},
			{"x-api-key: api_nothing"},
			{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+annPassword))},
			{"apikey: " + key, "userid: bob", "token: " + w.login(annName, annPassword)},
		} {
			a := w.get("/things", fields...)
			w.refused(a, http.StatusUnauthorized)
			if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="default"`) {
				t.Errorf("%q: the challenge is %q", fields, got)
			}
		}
	})
	w.run("what a client says of itself is removed", func(t *testing.T) {
		got := w.passed(w.get("/things", "x-api-key: "+key, "X-Auth-Subject: root", "X-Auth-Tenant: acme",
			"X-AUTH-ROLES: root", "X-Auth-Anything: root", "Connection: X-Auth-Subject"))
		assertIdentity(t, got, ann.ID, "api_key")
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, ","), "root") {
				t.Errorf("the upstream saw %s: %q", name, values)
			}
		}
	})
}

// assertIdentity holds what the upstream was told against the account of ann.
func assertIdentity(t *testing.T, got seen, id, kind string) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Auth-Subject": id, "X-Auth-Username": annName, "X-Auth-Roles": "editor,admin", "X-Auth-Tenant": "",
	} {
		if values := got.Header.Values(name); strings.Join(values, "|") != want {
			t.Errorf("%s: the upstream was told %s %q, want %q", kind, name, values, want)
		}
	}
	if credential := got.Header.Get("X-Auth-Credential"); !strings.HasPrefix(credential, kind) {
		t.Errorf("the upstream was told of the credential %q, want %s", credential, kind)
	}
}

// timedLogin is a login over timed_login in one of its forms.
type timedLogin struct{ media, body, before, after string }

func timedLogins(name, key string) []timedLogin {
	return []timedLogin{
		{"application/json", fmt.Sprintf(`{"UserLogin":%q,"ApiKey":%q}`, name, key), `"Token":"`, `"`},
		{
			"application/xml", "<Request><UserLogin>" + name + "</UserLogin><ApiKey>" + key + "</ApiKey></Request>",
			"<Token>", "</Token>",
		},
	}
}

func (l timedLogin) tokenIn(t testing.TB, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, l.before)
	token, _, closed := strings.Cut(rest, l.after)
	if !ok || !closed {
		t.Fatalf("no token in %s", body)
	}
	return token
}

func TestWholeTokensSurviveARestart(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		t.Run("a "+format+" token is still good and a revoked one still refused", func(t *testing.T) {
			s := setting{sites: guardedSite("login management {\n\tformat " + format + "\n}\n")}
			w := startSetting(t, s)
			ann, key := w.ann("editor", "admin")
			kept, revoked := w.login(annName, annPassword), w.login(annName, annPassword)
			if isJWT := strings.Count(kept, ".") == 2; isJWT != (format == "jwt") {
				t.Fatalf("the token has the form %q", kept)
			}
			if a := w.post("/v1/auth/logout", "", bearerOf(revoked)); a.status != http.StatusOK {
				t.Fatal(a)
			}
			first := w.runtime()

			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			w.load(s)
			if w.runtime() == first {
				t.Fatal("the runtime was not opened again")
			}
			assertIdentity(t, w.passed(w.get("/things", bearerOf(kept))), ann.ID, "bearer")
			assertIdentity(t, w.passed(w.get("/things", "x-api-key: "+key)), ann.ID, "api_key")
			w.refused(w.get("/things", bearerOf(revoked)), http.StatusUnauthorized)
			for _, text := range []string{kept + "A", respelled(kept), respelled(revoked)} {
				w.refused(w.get("/things", bearerOf(text)), http.StatusUnauthorized)
			}
		})
	}
}

// respelled returns a token that differs in the last bit of its last character.
// In the signature of a JWT that bit means nothing.
func respelled(token string) string {
	const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(base64url[strings.IndexByte(base64url, token[last])^1])
}
