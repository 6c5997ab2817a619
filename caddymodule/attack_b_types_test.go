package caddymodule

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const formField = "Content-Type: application/x-www-form-urlencoded"

// A life that no calendar holds is refused, and makes nothing live for ever.
func TestB04LivesThatOverflowAreRefused(t *testing.T) {
	a := startBesieged(t)
	member := map[string]string{"entity_token change": "expiry", "login_token patch": "expiresAt"}
	if got := a.post("/login-token", "", bearerOf(a.jwt)); got.status != http.StatusCreated { // there is one to change
		t.Fatal(got)
	}
	for _, c := range a.bodyCalls() {
		name, ok := member[c.name]
		if !ok {
			continue
		}
		a.run(c.name, func(t *testing.T) {
			for _, value := range []string{
				"-1", "0", "1e400", "9223372036854775808", "9223372036854775807", "3600", "3600.9", "true", "[]", "{}", `"3600"`, `"-1"`, `"never"`,
				`"9999-12-31T23:59:59Z"`, `"10000-01-01T00:00:00Z"`, `"+292277026596-12-04T15:30:07Z"`, `"2262-04-12T00:00:00Z"`,
				`"2026-13-01T00:00:00Z"`, `"2026-02-30T00:00:00Z"`, `"2026-01-01T24:00:00Z"`, `"2026-01-01"`, `"2026-01-01T00:00:00"`, `"1e400"`,
			} {
				badBody(t, value, a.send(c, `{"`+name+`":`+value+`}`), 400)
			}
		})
	}
	a.run("the life that a login names beside is its own", func(t *testing.T) {
		got := a.post("/v1/auth/login", `{"username":"ann","password":"`+annPassword+`","expiresIn":9223372036854775807}`, jsonType)
		var said struct{ ExpiresIn int64 }
		if err := json.Unmarshal([]byte(got.body), &said); err != nil || said.ExpiresIn != 1800 {
			t.Error(got)
		}
		got = a.post("/oauth2/token", "grant_type=client_credentials&expires_in=9223372036854775807", formField, basicPair(a.machine.id, a.machine.secret))
		if got.status != http.StatusOK || strings.Contains(got.body, "9223372036854775807") {
			t.Error(got)
		}
	})
}

// A body is read as what it is said to be, or not at all. What a browser sends
// from a foreign page without asking (a form, plain text) changes nothing.
func TestB11ABodyOfAnotherTypeIsRefused(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		for _, media := range []string{
			"application/x-www-form-urlencoded", "text/plain", "text/plain; charset=utf-8", "multipart/form-data; boundary=x", "text/html", "application/octet-stream",
			"text/javascript", "application/jsonp", "application", "/json", "application/json, text/plain",
		} {
			got := a.send(c, c.body, "Content-Type: "+media)
			if c.lax { // its contract reads all as JSON; no cookie makes a foreign page's request count
				if got.status != c.ok {
					t.Errorf("%q: %v", media, got)
				}
				continue
			}
			badBody(t, media, got, 415, 400)
		}
		if !c.lax {
			badBody(t, "two types", a.send(c, c.body, "Content-Type: text/plain", jsonType), 400)
			badBody(t, "no type", a.typeless(c), 415, 400)
			badBody(t, "XML", a.send(c, c.body, "Content-Type: application/xml"), 415, 400)
		}
		for _, form := range []string{"username=ann&password=" + url.QueryEscape(annPassword), c.body + "=", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nann\r\n--x--\r\n"} {
			badBody(t, "a form as JSON", a.send(c, form), 400)
		}
		if got := a.send(c, c.body, jsonType+"; x=y"); got.status != c.ok {
			t.Errorf("a parameter that means nothing: %v", got)
		}
	})
	a.run("a form that is none", func(t *testing.T) {
		who := basicPair(a.machine.id, a.machine.secret)
		for _, media := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x", "application/xml"} {
			badBody(t, media, a.post("/oauth2/token", "grant_type=client_credentials", who, "Content-Type: "+media), 415)
		}
		badBody(t, "two types", a.post("/oauth2/token", "grant_type=client_credentials", who, formField, "Content-Type: text/plain"), 400)
		badBody(t, "JSON", a.post("/oauth2/token", `{"grant_type":"client_credentials"}`, who, formField), 400)
		badBody(t, "in the query", a.post("/oauth2/token?grant_type=client_credentials", "", who, formField), 400)
	})
	a.run("XML and JSON are not taken for each other", func(t *testing.T) {
		badBody(t, "XML as JSON", a.post("/api/login", a.xmlLogin(""), jsonType), 400)
		badBody(t, "JSON as XML", a.post("/api/login", `{"UserLogin":"ann","ApiKey":"`+a.key+`"}`, xmlType), 400)
		for _, media := range []string{"application/soap+xml", "application/xhtml+xml", "image/svg+xml"} {
			badBody(t, media, a.post("/api/login", a.xmlLogin(""), "Content-Type: "+media), 415)
		}
	})
}

// typeless sends a body without a content type.
func (a *besieged) typeless(c bodyCall) answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), c.method, a.site+c.path, strings.NewReader(c.body))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range c.fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	res, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		a.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: text.String()}
}

// Whatever a client accepts, the answer is in a known type that nobody sniffs
// and no cache keeps; where it depends on Accept, it says so.
func TestB13AcceptNeverChangesMoreThanTheType(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		for _, accept := range []string{"", "*/*", "application/json", "application/xml;q=0", "image/png", "nonsense", "text/html", "application/json;q=2", ",", "*/*;q=0", "application/xml;q=0.1, */*;q=0.2"} {
			got := a.send(c, c.body, "Accept: "+accept)
			badBody(t, accept, got, c.ok)
			media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
			if media != "application/json" {
				t.Errorf("%s: answered in %s", accept, media)
			}
			if !json.Valid([]byte(got.body)) {
				t.Errorf("%s: %v", accept, got)
			}
		}
		negotiates := strings.HasPrefix(c.name, "management") || c.name == "timed_login"
		if got := a.send(c, c.body); negotiates && !slices.Contains(got.header.Values("Vary"), "Accept") {
			t.Errorf("no Vary: %v", got.header)
		}
	})
	a.run("XML only for who asks for it", func(t *testing.T) {
		for accept, want := range map[string]string{
			"application/xml": "application/xml", "text/xml": "text/xml", "application/json, application/xml;q=0.9": "application/json",
			"application/xml, application/json;q=0.5": "application/xml", "application/xml;q=0, */*": "application/json",
		} {
			for _, key := range []string{a.key, "wrong"} {
				got := a.post("/api/login", `{"UserLogin":"ann","ApiKey":"`+key+`"}`, jsonType, "Accept: "+accept, a.elsewhere())
				if media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";"); media != want {
					t.Errorf("%s: answered in %s", accept, media)
				}
			}
		}
	})
}

// What a client sent comes back nowhere as markup or as a header.
func TestB14WhatWasSentComesBackNowhereAsMarkup(t *testing.T) {
	a := startBesieged(t)
	const script, split = `<script>alert(1)</script>`, "x\r\nSet-Cookie: evil=1"
	harmless := func(t *testing.T, what string, got answer) {
		t.Helper()
		if got.status >= 500 || got.header.Get("Set-Cookie") != "" || strings.Contains(fmt.Sprint(got.header), "script") {
			t.Errorf("%s: %v", what, got)
		}
		media := got.header.Get("Content-Type")
		isJSON := strings.Contains(media, "json")
		if isJSON != json.Valid([]byte(got.body)) || !isJSON && !strings.Contains(media, "/xml") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: neither JSON nor XML, or may be sniffed: %v", what, got)
		}
		if strings.Contains(media, "/xml") && (strings.Contains(got.body, "<script") || xml.Unmarshal([]byte(got.body), new(struct{ XMLName xml.Name })) != nil) {
			t.Errorf("%s: markup in XML: %v", what, got)
		}
	}
	a.all(func(t *testing.T, c bodyCall) {
		for _, evil := range []string{script, split, "]]><script/>", `"}<script>`} {
			quoted, _ := json.Marshal(evil)
			bodies := []string{evil, `{` + string(quoted) + `:1}`, c.withMember(string(quoted) + ":1"), c.withMember(string(quoted) + ":1," + string(quoted) + ":1")}
			for _, name := range c.texts {
				var members map[string]any
				if err := json.Unmarshal([]byte(c.body), &members); err != nil {
					t.Fatal(err)
				}
				members[name] = evil
				body, _ := json.Marshal(members)
				bodies = append(bodies, string(body))
			}
			for _, body := range bodies {
				for _, accept := range []string{"*/*", "application/xml", "text/html"} {
					got := a.send(c, body, "Accept: "+accept)
					harmless(t, body, got)
					if strings.Contains(got.body, "<script") {
						t.Errorf("%s comes back: %v", body, got)
					}
				}
			}
		}
	})
	a.run("in paths and queries", func(t *testing.T) {
		for _, path := range []string{
			"/v1/auth/<script>", "/api/login/%3Cscript%3E", "/crm/%3Cscript%3E", "/oauth2/%3Cscript%3E", "/entities/%3Cscript%3E/users/x/authentication-token",
			"/login/%3Cscript%3E?token=x", "/login/x?token=%3Cscript%3E", "/x?token=%3Cscript%3E", "/x%0d%0aSet-Cookie:evil=1",
		} {
			for _, accept := range []string{"*/*", "application/xml", "text/html"} {
				got := a.get(path, "Accept: "+accept)
				harmless(t, path, got)
				if strings.Contains(got.body, "<script") {
					t.Errorf("%s comes back: %v", path, got)
				}
			}
		}
	})
	a.run("where a contract has an answer repeat it, it is escaped", func(t *testing.T) {
		for _, path := range []string{
			"/login-token/%3Cscript%3E", "/login/00000000-0000-4000-8000-000000000000?token=x&redirectUrl=%3Cscript%3E", "/login-token?%3Cscript%3E=1",
		} {
			got := a.get(path, bearerOf(a.jwt), "Accept: text/html")
			harmless(t, path, got)
			if strings.Contains(got.body, "<script") || !strings.Contains(got.body, `\u003cscript`) && !strings.Contains(path, "?%3C") {
				t.Errorf("%s comes back: %v", path, got)
			}
		}
	})
}

// The same credentials in another format are answered the same, and count with
// each other.
func TestB15EveryFormatIsAnsweredAndCountedAlike(t *testing.T) {
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	forms := func(name, key string) []func() answer {
		return []func() answer{
			func() answer {
				return a.post("/api/login", fmt.Sprintf(`{"UserLogin":%q,"ApiKey":%q}`, name, key), jsonType, a.elsewhere())
			},
			func() answer {
				return a.post("/api/login", "<Request><UserLogin>"+name+"</UserLogin><ApiKey>"+key+"</ApiKey></Request>", xmlType, "Accept: application/json", a.elsewhere())
			},
		}
	}
	a.run("JSON and XML", func(t *testing.T) {
		for _, key := range []string{a.key, "wrong"} {
			var first answer
			for i, f := range forms(annName, key) {
				got := f()
				if i == 0 {
					first = got
				}
				if got.status != first.status || got.header.Get("Content-Type") != first.header.Get("Content-Type") ||
					got.status != http.StatusOK && got.body != first.body {
					t.Errorf("one is answered %v, the other %v", first, got)
				}
			}
		}
	})
	a.run("and their failures are one count", func(t *testing.T) {
		for _, name := range []string{"bob", "nobody"} {
			if name == "bob" {
				if _, err := d.AddAccount(t.Context(), admin.NewAccount{Username: name, Password: auth.NewSecret(annPassword)}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 6 {
				got := forms(name, "wrong")[i%2]()
				if locked := got.header.Get("Retry-After") != ""; locked != (i == 5) {
					t.Errorf("%s, attempt %d: %v", name, i+1, got)
				}
			}
		}
	})
	a.run("form and Basic", func(t *testing.T) {
		const grant = "grant_type=client_credentials"
		ways := func(id, secret, from string) []answer {
			return []answer{
				a.post("/oauth2/token", grant, formField, basicPair(id, secret), from),
				a.post("/oauth2/token", grant+"&client_id="+id+"&client_secret="+secret, formField, from),
			}
		}
		for _, got := range ways(a.machine.id, a.machine.secret, a.elsewhere()) {
			if got.status != http.StatusOK {
				t.Error(got)
			}
		}
		here := a.elsewhere() // a client is counted from one address
		var failures []answer
		for range 3 {
			failures = append(failures, ways(a.machine.id, "wrong", here)...)
		}
		for i, got := range failures {
			if want := map[bool]int{false: 401, true: 429}[i == 5]; got.status != want {
				t.Errorf("attempt %d: %v", i+1, got)
			}
		}
		if failures[0].body != failures[1].body || failures[0].header.Get("WWW-Authenticate") != failures[1].header.Get("WWW-Authenticate") {
			t.Errorf("answered %v and %v", failures[0], failures[1])
		}
		badBody(t, "both at once", a.post("/oauth2/token", grant+"&client_id="+a.machine.id+"&client_secret="+a.machine.secret, formField, basicPair(a.machine.id, a.machine.secret)), 400)
	})
}
