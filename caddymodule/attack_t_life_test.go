package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

func TestT06NoPatchOfAnExpiryLengthensOrRevivesALife(t *testing.T) {
	e := startEvery(t, "")
	other := e.node(everyLogin)
	soon := time.Now().Add(time.Hour).UTC()
	patch := func(expiry string) request {
		return e.placeRequest(e.ann, http.MethodPatch, "", `{"expiry":`+expiry+`}`)
	}
	text := e.logIn("entity_token", e.ann)
	before := e.sessionOf(text).Expires
	for _, expiry := range []string{
		`0`, `-1`, `true`, `[]`, `{}`, `1e400`, `9223372036854775807`, `""`, `"tomorrow"`, `"3600"`, `"9999-12-31T23:59:59Z"`, `"10000-01-01T00:00:00Z"`,
		`"2026-02-30T00:00:00Z"`, `"` + time.Now().AddDate(1, 0, 2).Format(time.RFC3339) + `"`, `"2300-01-01T00:00:00Z"`, `"` + soon.Format(time.RFC3339) + `","expiry":null`,
	} {
		e.run("entity_token: "+expiry+" is refused", func(t *testing.T) {
			e.refused(e.make(patch(expiry)), http.StatusBadRequest)
			if after := e.sessionOf(text).Expires; !after.Equal(before) {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
	e.run("entity_token: null says nothing", func(t *testing.T) {
		if a := e.make(patch("null")); a.status != http.StatusOK || !e.sessionOf(text).Expires.Equal(before) {
			t.Error(a)
		}
	})
	e.run("entity_token: the past is death, here at once and elsewhere soon", func(t *testing.T) {
		path, fields := guardedCall("entity_token", text, e.ann)
		status := func() int {
			a, err := e.try(t.Context(), http.MethodGet, other+path, "", fields...)
			if err != nil {
				t.Fatal(err)
			}
			return a.status
		}
		if got := status(); got != http.StatusOK {
			t.Fatal(got)
		}
		if a := e.make(patch(`"1970-01-01T00:00:00Z"`)); a.status != http.StatusOK {
			t.Fatal(a)
		}
		e.dead("entity_token", text, e.ann)
		eventually(t, time.Second, "the other node knows", func() bool { return status() == http.StatusUnauthorized })
	})
	e.run("entity_token: what is dead stays dead", func(*testing.T) {
		e.refused(e.make(patch(`"`+soon.Format(time.RFC3339)+`"`)), http.StatusNotFound)
		e.refused(e.make(e.placeRequest(e.ann, http.MethodPost, "/refresh", "{}")), http.StatusNotFound)
		e.dead("entity_token", text, e.ann)
		if again := e.logIn("entity_token", e.ann); again == text {
			e.t.Error("it was made again")
		}
		e.dead("entity_token", text, e.ann)
	})

	session := e.logIn("login_token", e.ann)
	change := func(id, expiry string) answer {
		return e.do(http.MethodPatch, "/feathers/login-token/"+id, `{"expiresAt":`+expiry+`}`, jsonType, bearerOf(session))
	}
	redeem := func(id, text string) bool {
		return strings.Contains(e.get("/feathers/login/"+id+"?token="+text).body, `"token":`)
	}
	e.run("login_token: no end that is none, or too late", func(t *testing.T) {
		id, text := e.loginToken(session)
		before := e.sessionOf(text).Expires
		for _, expiry := range []string{
			`0`, `-1`, `true`, `[]`, `1e400`, `"tomorrow"`, `"9999-12-31T23:59:59Z"`, `"2300-01-01T00:00:00Z"`,
			`"` + time.Now().Add(25*time.Hour).UTC().Format(time.RFC3339) + `"`,
		} {
			if a := change(id, expiry); a.status != http.StatusBadRequest || !e.sessionOf(text).Expires.Equal(before) {
				t.Errorf("%s: %v", expiry, a)
			}
		}
	})
	e.run("login_token: the past is death, and nothing revives it", func(t *testing.T) {
		id, text := e.loginToken(session)
		if a := change(id, `"2001-01-01T00:00:00Z"`); a.status != http.StatusOK {
			t.Fatal(a)
		}
		if a := change(id, `"`+soon.Format(time.RFC3339)+`"`); a.status != http.StatusBadRequest || redeem(id, text) {
			t.Error(a)
		}
	})
	e.run("login_token: one that was redeemed is not there to change", func(t *testing.T) {
		id, text := e.loginToken(session)
		if !redeem(id, text) {
			t.Fatal("it was no good")
		}
		if a := change(id, `"`+soon.Format(time.RFC3339)+`"`); a.status != http.StatusNotFound || redeem(id, text) {
			t.Error(a)
		}
	})
}

func TestT07APatchChangesNothingElse(t *testing.T) {
	e := startEvery(t, "")
	e.run("entity_token: other members are not read", func(t *testing.T) {
		text := e.logIn("entity_token", e.ann)
		before := e.sessionOf(text)
		for _, member := range []string{
			`"userId":"` + e.bob.ID + `"`, `"entityId":"` + e.bob.tenant + `"`, `"token":"mine"`, `"authenticationToken":"mine"`, `"id":"mine"`,
			`"roles":["admin"]`, `"scopes":["all"]`, `"Subject":"` + e.bob.ID + `"`, `"createdAt":"2001-01-01T00:00:00Z"`, `"kind":"access"`,
		} {
			if a := e.make(e.placeRequest(e.ann, http.MethodPatch, "", `{`+member+`}`)); a.status != http.StatusOK {
				t.Errorf("%s: %v", member, a)
			}
			if after := e.sessionOf(text); fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
				t.Errorf("%s: %+v became %+v", member, before, after)
			}
		}
		if got := e.passed(e.show("entity_token", text, e.ann)).Header.Get("X-Auth-Roles"); got != "user" {
			t.Errorf("the roles are %s", got)
		}
	})
	e.run("login_token: other members are refused", func(t *testing.T) {
		session := e.logIn("login_token", e.ann)
		id, text := e.loginToken(session)
		before := e.sessionOf(text)
		for body, status := range map[string]int{
			`{"identityProviderId":"` + e.bob.ID + `"}`:               http.StatusBadRequest,
			`{"id":"5e0e4d0a-5a3c-4a39-9c3c-0a1b2c3d4e5f"}`:           http.StatusBadRequest,
			`{"token":"0123456789abcdef0123456789abcdef"}`:            http.StatusBadRequest,
			`{"createdAt":"2001-01-01T00:00:00Z"}`:                    http.StatusBadRequest,
			`{"associateUserId":"` + e.bob.ID + `"}`:                  http.StatusForbidden,
			`{"associateUserId":"` + strings.ToUpper(e.bob.ID) + `"}`: http.StatusForbidden,
			`{"userId":"` + e.bob.ID + `"}`:                           http.StatusBadRequest,
			`{"roles":["admin"]}`:                                     http.StatusBadRequest,
			`{"__proto__":{"admin":true}}`:                            http.StatusBadRequest,
			`{"$set":{"token":"x"}}`:                                  http.StatusBadRequest,
		} {
			if a := e.do(http.MethodPatch, "/feathers/login-token/"+id, body, jsonType, bearerOf(session)); a.status != status {
				t.Errorf("%s: %v", body, a)
			}
			if after := e.sessionOf(text); fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
				t.Errorf("%s: %+v became %+v", body, before, after)
			}
		}
	})
}

// ends are the ways to give up a token, with the status of the first and of
// the second call.
func (e *every) ends(dialect, token string, p party) (r request, first, second int, ok bool) {
	switch dialect {
	case "login_token":
		return request{method: http.MethodDelete, path: "/feathers/authentication", fields: []string{bearerOf(token)}}, 200, 401, true
	case "management":
		return request{http.MethodPost, "/v1/auth/logout", "{}", []string{jsonType, bearerOf(token)}}, 200, 200, true
	case "entity_token":
		return e.placeRequest(p, http.MethodDelete, "", ""), 200, 404, true
	case "crm_token":
		return request{http.MethodPost, "/authentication/token/release", `{"token":"` + token + `"}`, []string{jsonType}}, 200, 200, true
	case "oauth2":
		return e.oauth2Request(p, "/revoke", url.Values{"token": {token}}), 200, 200, true
	}
	return request{}, 0, 0, false // timed_login has no logout
}

func TestT08WhatIsGivenUpIsDeadOnTheNextRequest(t *testing.T) {
	e := startEvery(t, "")
	e.eachDialect("twice, by itself, and beside a kept one", func(dialect string) {
		kept, token := "", e.logIn(dialect, e.ann)
		if dialect != "entity_token" { // there is one for each place
			kept = e.logIn(dialect, e.ann)
		}
		r, first, second, ok := e.ends(dialect, token, e.ann)
		if !ok {
			return
		}
		e.good(dialect, token, e.ann)
		for _, want := range []int{first, second, second} {
			if a := e.make(r); a.status != want {
				e.t.Errorf("want %d: %v", want, a)
			}
			e.dead(dialect, token, e.ann)
		}
		if kept != "" {
			e.good(dialect, kept, e.ann)
		}
	})
	e.eachDialect("a part of it, or that of another, ends nothing", func(dialect string) {
		token := e.logIn(dialect, e.ann)
		for _, text := range []string{token[:len(token)-1], token[:8], token + "0", "%", "*", "", strings.ToUpper(token) + "x"} {
			if r, _, _, ok := e.ends(dialect, text, e.bob); ok {
				e.make(r)
			}
		}
		if dialect == "oauth2" || dialect == "entity_token" { // elsewhere the token alone says who asks
			r, _, _, _ := e.ends(dialect, token, e.bob)
			e.make(r)
		}
		if dialect == "entity_token" {
			r := e.placeRequest(e.bob, http.MethodDelete, "", "")
			r.path = placeOf(e.ann)
			e.refused(e.make(r), http.StatusForbidden)
		}
		e.good(dialect, token, e.ann)
	})
	e.eachDialect("while it is used", func(dialect string) {
		token := e.logIn(dialect, e.ann)
		r, first, _, ok := e.ends(dialect, token, e.ann)
		if !ok {
			return
		}
		e.keepsUsing(dialect, token, func() {
			if a := e.make(r); a.status != first {
				e.t.Error(a)
			}
		})
	})
}

// keepsUsing uses a token from many sides while end ends it: whoever asks after
// that is refused.
func (e *every) keepsUsing(dialect, token string, end func()) {
	e.t.Helper()
	path, fields := guardedCall(dialect, token, e.ann)
	ctx, stop := context.WithCancel(e.t.Context())
	defer stop()
	type use struct {
		began  time.Time
		status int
	}
	uses := make(chan use, 10_000)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for ctx.Err() == nil {
				began := time.Now()
				a, err := e.try(ctx, http.MethodGet, e.site+path, "", fields...)
				if err == nil {
					uses <- use{began, a.status}
				}
			}
		}()
	}
	for range 20 {
		<-uses
	}
	end()
	ended := time.Now()
	for range 20 {
		<-uses
	}
	stop()
	for range 4 {
		<-done
	}
	close(uses)
	for u := range uses {
		if u.began.After(ended) && u.status != http.StatusUnauthorized {
			e.t.Errorf("%s after it had ended it was answered with %d", u.began.Sub(ended), u.status)
		}
	}
	e.dead(dialect, token, e.ann)
}

func TestT09NoClientChoosesItsToken(t *testing.T) {
	e := startEvery(t, "")
	e.eachDialect("what a login is sent is not what it gives", func(dialect string) {
		known := e.logIn(dialect, e.bob)
		fields := []string{
			"Cookie: session=" + known + "; token=" + known + "; sid=" + known, "X-Auth-Token: " + known, "X-Session-Id: " + known,
		}
		a := e.tryLogIn(dialect, e.ann, fields...)
		if cookies := a.header.Values("Set-Cookie"); len(cookies) > 0 {
			e.t.Errorf("it sets %q", cookies)
		}
		token := e.tokenOf(dialect, a)
		if token == known || len(token) < 22 {
			e.t.Errorf("it gave a token of %d bytes", len(token))
		}
		e.good(dialect, token, e.ann)
		e.good(dialect, known, e.bob)
	})
	const chosen = "ght_AAAAAAAAAAAAAAAAAAAAAA"
	guid, hex := "00000000-0000-0000-0000-000000000000", strings.Repeat("0", 32)
	all := `"token":"` + hex + `","Token":"` + guid + `","accessToken":"` + chosen + `","jti":"` + guid + `","id":"` + guid + `"`
	for name, made := range map[string]answer{
		"management":  e.postJSON("/v1/auth/login", `{"username":"ann","password":"`+annPassword+`","accessToken":"`+chosen+`","token":"`+hex+`"}`),
		"timed_login": e.postJSON("/login?Token="+guid, `{"UserLogin":"ann","ApiKey":"`+e.ann.key+`","Result":null,"Token":"`+guid+`"}`),
		"crm_token":   e.postJSON("/authentication/token?token="+hex, `{"username":"ann","password":"`+annPassword+`","organisation":"Acme","token":"`+hex+`"}`),
		"oauth2":      e.oauth2(e.ann, "/token", url.Values{"grant_type": {"client_credentials"}, "access_token": {chosen}, "jti": {guid}}),
		"login_token": e.postJSON("/feathers/authentication", `{"strategy":"local","username":"ann","password":"`+annPassword+`",`+all[strings.Index(all, `"accessToken"`):]+`}`),
		"login link":  e.postJSON("/feathers/login-token", `{"token":"`+hex+`","id":"`+guid+`"}`, bearerOf(e.logIn("login_token", e.ann))),
		"entity":      e.make(e.placeRequest(e.ann, http.MethodPost, "", `{"authenticationToken":"`+chosen+`"}`)),
	} {
		e.run(name+": nor is a member or parameter", func(t *testing.T) {
			if made.status/100 != 2 {
				t.Fatal(made)
			}
			for _, text := range []string{chosen, guid, hex} {
				if strings.Contains(made.body, text) {
					t.Errorf("it gave what was sent: %v", made)
				}
				for _, dialect := range table.Names() {
					e.dead(dialect, text, e.ann)
				}
			}
		})
	}
}

func TestT13NoListShowsAToken(t *testing.T) {
	e := startEvery(t, "")
	secrets := map[string]string{"the key of ann": e.ann.key, "the key of bob": e.bob.key, "the password": annPassword}
	for _, dialect := range table.Names() {
		secrets["a token of "+dialect] = e.logIn(dialect, e.ann)
	}
	access, refresh := e.tokens(e.ann)
	secrets["an access token"], secrets["a refresh token"] = access, refresh
	_, link := e.loginToken(secrets["a token of login_token"])
	for name, a := range map[string]answer{
		"GET user of management":    e.get("/v1/auth/user", bearerOf(secrets["a token of management"])),
		"POST user of management":   e.postJSON("/v1/auth/user", `{"user":{"firstName":"Ann"}}`, bearerOf(secrets["a token of management"])),
		"introspection":             e.oauth2(e.ann, "/introspect", url.Values{"token": {access}}),
		"introspection of refresh":  e.oauth2(e.ann, "/introspect", url.Values{"token": {refresh}}),
		"metadata":                  e.get("/.well-known/oauth-authorization-server/oauth2"),
		"login tokens":              e.get("/feathers/login-token", bearerOf(secrets["a token of login_token"])),
		"the JWKS of oauth2":        e.get("/oauth2/jwks"),
		"a change of entity tokens": e.make(e.placeRequest(e.ann, http.MethodPatch, "", `{"flags":["a"]}`)),
	} {
		e.run(name, func(t *testing.T) {
			if a.status != http.StatusOK {
				t.Fatal(a)
			}
			for what, secret := range secrets {
				if strings.Contains(a.String(), secret) {
					t.Errorf("%s is shown: %v", what, a)
				}
			}
			if name != "login tokens" && strings.Contains(a.String(), link) {
				t.Errorf("a login link is shown: %v", a)
			}
		})
	}
}

func TestT14NoTokenComesWithAnError(t *testing.T) {
	e := startEvery(t, "")
	if _, err := e.admin("default").AddAccount(t.Context(), newDisabled()); err != nil {
		t.Fatal(err)
	}
	session := e.logIn("login_token", e.ann)
	form := "Content-Type: application/x-www-form-urlencoded"
	before := len(e.sessions())
	for name, a := range map[string]answer{
		"oauth2: a scope beyond the key":     e.oauth2(e.ann, "/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"orders root"}}),
		"oauth2: a grant that is none":       e.oauth2(e.ann, "/token", url.Values{"grant_type": {"password"}, "username": {annName}, "password": {annPassword}}),
		"oauth2: two clients":                e.oauth2(e.ann, "/token", url.Values{"grant_type": {"client_credentials"}}, "Authorization: Basic Yjpi"),
		"oauth2: a member twice":             e.post("/oauth2/token", "grant_type=client_credentials&grant_type=x&client_id="+e.ann.keyID+"&client_secret="+e.ann.key, form),
		"crm_token: another's organisation":  e.postJSON("/authentication/token", `{"username":"ann","password":"`+annPassword+`","organisation":"Other"}`),
		"crm_token: a unit that is none":     e.postJSON("/authentication/token", `{"username":"ann","password":"`+annPassword+`","organisation":"Acme","unit":"`+strings.Repeat("A", 32)+`"}`),
		"crm_token: two ways at once":        e.postJSON("/authentication/token", `{"username":"ann","password":"`+annPassword+`","organisation":"Acme","access_token_identifier":{"authentication_code":"x"}}`),
		"management: a disabled account":     e.postJSON("/v1/auth/login", `{"username":"gone","password":"`+annPassword+`"}`),
		"management: a member twice":         e.postJSON("/v1/auth/login", `{"username":"ann","password":"`+annPassword+`","PASSWORD":"x"}`),
		"management: an Accept of nothing":   e.postJSON("/v1/auth/login", `{"username":"ann","password":"wrong"}`, "Accept: application/xml;q=0"),
		"timed_login: the key of another":    e.postJSON("/login", `{"UserLogin":"ann","ApiKey":"`+e.bob.key+`"}`),
		"timed_login: a Result of a number":  e.postJSON("/login", `{"UserLogin":"ann","ApiKey":"`+e.ann.key+`","apikey":"x"}`),
		"login_token: an array with one bad": e.postJSON("/feathers/login-token", `[{},{"associateUserId":"`+e.bob.ID+`"}]`, bearerOf(session)),
		"login_token: an unknown member":     e.postJSON("/feathers/login-token", `{"roles":["admin"]}`, bearerOf(session)),
		"login_token: two members":           e.postJSON("/feathers/authentication", `{"strategy":"local","username":"ann","password":"`+annPassword+`","password":"x"}`),
	} {
		e.run(name, func(t *testing.T) {
			failed := a.status >= 400 || strings.Contains(a.body, `"data":{}`)
			if !failed {
				t.Errorf("it did not fail: %v", a)
			}
			var members map[string]any
			if err := json.Unmarshal([]byte(a.body), &members); err != nil {
				t.Fatalf("%v: %v", err, a)
			}
			for _, member := range []string{"token", "Token", "accessToken", "access_token", "refresh_token", "authenticationToken", "expires_in", "id"} {
				if v, ok := members[member]; ok && v != "" {
					t.Errorf("it has a %s: %v", member, a)
				}
			}
		})
	}
	if after := len(e.sessions()); after != before {
		t.Errorf("the failures left %d sessions", after-before)
	}
}

// TestT12 reads the same clock as the gateway: no request that began at the end
// of a token or later passes, and none that was answered before it is refused.
func TestT12AtItsEndATokenIsOver(t *testing.T) {
	e := startEveryBlock(t, everyShortLogin)
	var lives []*life
	for _, dialect := range table.Names() {
		token := e.logIn(dialect, e.ann)
		l := &life{dialect: dialect, token: token, end: e.sessionOf(token).Expires}
		e.use(l)
		lives = append(lives, l)
	}
	eventually(t, 20*time.Second, "all are over", func() bool {
		over := true
		for _, l := range lives {
			over = e.use(l) && over
		}
		return over
	})
	for _, l := range lives {
		if l.passed == 0 {
			t.Errorf("%s: no use passed, the test shows nothing", l.dialect)
		}
	}
}

// life is a token and how often it was good.
type life struct {
	dialect, token string
	end            time.Time
	passed         int
}

// use uses a token and reports whether it was refused after its end.
func (e *every) use(l *life) bool {
	e.t.Helper()
	path, fields := guardedCall(l.dialect, l.token, e.ann)
	began := time.Now()
	a, err := e.try(e.t.Context(), http.MethodGet, e.site+path, "", fields...)
	if err != nil {
		e.t.Fatal(err)
	}
	answered := time.Now()
	switch {
	case a.seen != nil && !began.Before(l.end):
		e.t.Errorf("%s: it passed %s after its end", l.dialect, began.Sub(l.end))
	case a.seen == nil && answered.Before(l.end):
		e.t.Errorf("%s: it was refused %s before its end: %v", l.dialect, l.end.Sub(answered), a)
	case a.seen == nil && a.status != http.StatusUnauthorized:
		e.t.Error(a)
	}
	if a.seen != nil {
		l.passed++
		return false
	}
	return !began.Before(l.end)
}
