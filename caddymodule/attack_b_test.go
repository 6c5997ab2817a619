package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// The tests named B… send attacks in bodies to every call that reads one.

// sixDialects answers all six login APIs; crm_token says its failures by
// status, so that one table holds for all.
const sixDialects = `
		login management /v1/auth
		login timed_login /api/login
		login entity_token /entities
		login login_token /login-token
		login crm_token /crm {
			http_errors
		}
		login oauth2 /oauth2
		accept bearer
		accept api_key
		accept body token
		public /open/*
		errors problem
		insecure_http`

// behindProxy believes a proxy on this machine who the client is: each test
// has as many addresses as it needs.
const behindProxy = "admin off\n\tpersist_config off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}"

// besieged is a Caddy with every dialect, and ann in the tenant Acme.
type besieged struct {
	*whole
	account, tenant, key string
	// machine and place are the ids and keys of ann's client and of the tenant.
	machine, place credentialPair
	user, jwt      string // tokens of ann's
	clients        int    // addresses so far
}

type credentialPair struct{ id, secret string }

func startBesieged(t *testing.T) *besieged {
	t.Helper()
	a := &besieged{whole: startSetting(t, setting{options: behindProxy, sites: guardedSite(sixDialects)})}
	d := a.admin(gateway.DefaultRealm)
	tenant, err := d.AddTenant(t.Context(), "Acme")
	if err != nil {
		t.Fatal(err)
	}
	row, key := a.whole.account(admin.NewAccount{
		Username: annName, Email: "ann@example.com", Password: auth.NewSecret(annPassword), Tenant: "Acme",
	})
	a.account, a.tenant, a.key = row.ID, tenant.ID, key
	a.machine = a.pair(admin.NewKey{Account: annName, Name: "client", Scopes: auth.Scope{"orders"}})
	a.place = a.pair(admin.NewKey{Tenant: "Acme", Name: "place"})
	_, a.user = a.token(annName, "")
	a.jwt = memberOf(t, a.post("/authentication", `{"strategy":"local","username":"ann","password":"`+annPassword+`"}`, jsonType).body, "accessToken")
	if got := a.do(http.MethodPost, a.entityPath(), "", a.entityFields()...); got.status != http.StatusCreated {
		t.Fatal(got)
	}
	return a
}

func (a *besieged) pair(n admin.NewKey) credentialPair {
	a.t.Helper()
	row, secret, err := a.admin(gateway.DefaultRealm).CreateKey(a.t.Context(), n)
	if err != nil {
		a.t.Fatal(err)
	}
	return credentialPair{strconv.FormatInt(row.ID, 10), secret.Reveal()}
}

func (a *besieged) entityPath() string {
	return "/entities/" + a.tenant + "/users/" + a.account + "/authentication-token"
}

func (a *besieged) entityFields() []string {
	return []string{"apikey: " + a.place.secret, "userid: " + annName, "token: " + a.user}
}

// elsewhere is the field of a client address that nobody used before: the
// counter of failed logins of one address is not what most tests are about.
func (a *besieged) elsewhere() string {
	a.clients++
	return fmt.Sprintf("X-Forwarded-For: 10.%d.%d.7", a.clients>>8, a.clients&0xff)
}

func basicPair(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// bodyCall is a call that reads a JSON body, with one that is good.
type bodyCall struct {
	name, method, path, body string
	// texts are members of body that are strings.
	texts  []string
	fields []string
	ok     int // what body is answered
	// fold says that names of members are read in any case, blank that there
	// need be no body.
	fold, blank bool
	// lax says that the contract has the body read as JSON whatever it is
	// called, and with a byte order mark.
	lax bool
}

func (a *besieged) bodyCalls() []bodyCall {
	soon := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	return []bodyCall{
		{
			name: "management login", method: "POST", path: "/v1/auth/login", fold: true, ok: 200,
			body: `{"username":"ann","password":"` + annPassword + `"}`, texts: []string{"username", "password"},
		},
		{
			name: "management user", method: "POST", path: "/v1/auth/user", fold: true, ok: 200,
			body: `{"user":{"title":"Dr"}}`, fields: []string{"x-api-key: " + a.key},
		},
		{
			name: "management logout", method: "POST", path: "/v1/auth/logout", fold: true, ok: 200, blank: true,
			body: `{"all":true}`, fields: []string{"x-api-key: " + a.key},
		},
		{
			name: "timed_login", method: "POST", path: "/api/login", fold: true, ok: 200,
			body: `{"UserLogin":"ann","ApiKey":"` + a.key + `"}`, texts: []string{"UserLogin", "ApiKey"},
		},
		{
			name: "entity_token change", method: "PATCH", path: a.entityPath(), ok: 200, blank: true,
			body: `{"expiry":"` + soon + `","flags":["a"]}`, texts: []string{"expiry"}, fields: a.entityFields(),
		},
		{
			name: "login_token authentication", method: "POST", path: "/authentication", ok: 201, blank: true,
			body: `{"strategy":"local","username":"ann","password":"` + annPassword + `"}`, texts: []string{"strategy", "username", "password"},
		},
		{
			name: "login_token create", method: "POST", path: "/login-token", ok: 201, blank: true,
			body: `{"expiresAt":"` + soon + `"}`, texts: []string{"expiresAt"}, fields: []string{bearerOf(a.jwt)},
		},
		{
			name: "login_token patch", method: "PATCH", path: "/login-token", ok: 200, blank: true,
			body: `{"expiresAt":"` + soon + `"}`, texts: []string{"expiresAt"}, fields: []string{bearerOf(a.jwt)},
		},
		{
			name: "crm_token login", method: "POST", path: "/crm/token", ok: 200, lax: true, blank: true,
			body: `{"username":"ann","password":"` + annPassword + `","organisation":"Acme"}`, texts: []string{"username", "password", "organisation"},
		},
		{
			name: "crm_token release", method: "POST", path: "/crm/token/release", ok: 401, lax: true, blank: true,
			body: `{"token":"0123456789ABCDEF0123456789ABCDEF"}`, texts: []string{"token"},
		},
		{
			name: "crm_token key", method: "POST", path: "/crm/web_api_key/token", ok: 200, lax: true, blank: true,
			body: `{"none":"x"}`, fields: []string{basicPair(a.place.secret, "")},
		},
	}
}

// send makes a call with another body.
func (a *besieged) send(c bodyCall, body string, more ...string) answer {
	a.t.Helper()
	fields := slices.Concat([]string{a.elsewhere()}, c.fields, more)
	if !slices.ContainsFunc(more, func(f string) bool { return strings.HasPrefix(f, "Content-Type") }) {
		fields = append(fields, jsonType)
	}
	return a.do(c.method, c.path, body, fields...)
}

// badBody fails the test unless a call was refused with one of these statuses, in
// words, and without a token.
func badBody(t *testing.T, what string, got answer, statuses ...int) {
	t.Helper()
	if !slices.Contains(statuses, got.status) || got.seen != nil {
		t.Errorf("%s: want one of %v: %.600s", what, statuses, got)
		return
	}
	if got.body == "" || got.header.Get("Content-Type") == "" || got.header.Get("Cache-Control") != "no-store" ||
		got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: the answer is empty, may be kept or may be sniffed: %.600s", what, got)
	}
	if got.header.Get("Set-Cookie") != "" || strings.Contains(got.body, annPassword) {
		t.Errorf("%s: the answer gives something away: %.600s", what, got)
	}
}

// all runs f for every call, after its own body proved good.
func (a *besieged) all(f func(t *testing.T, c bodyCall)) {
	a.t.Helper()
	for _, c := range a.bodyCalls() {
		a.run(c.name, func(t *testing.T) {
			if got := a.send(c, c.body); got.status != c.ok || got.seen != nil {
				t.Fatalf("the good body: %v", got)
			}
			f(t, c)
		})
	}
}

// withMember is the body of a call with more members behind its own.
func (c bodyCall) withMember(members string) string {
	return strings.TrimSuffix(c.body, "}") + "," + members + "}"
}

// corpusFolder returns a folder of the vectors that others made.
func corpusFolder(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("NOT TESTED, for want of GATEHOUSE_CORPORA: " + name + " is not replayed")
	}
	return filepath.Join(root, name)
}

// A member twice is refused, in each way that it can be written twice.
func TestB01AMemberTwiceIsRefused(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.body, `{"`), `"`)
		escaped := fmt.Sprintf(`\u%04x%s`, name[0], name[1:])
		for what, member := range map[string]string{
			"the same name": name, "the same name escaped": escaped, "an unknown name": "zz",
		} {
			body := c.withMember(`"` + member + `":"x"`)
			if member == "zz" {
				body = c.withMember(`"zz":1,"zz":2`)
			}
			badBody(t, what, a.send(c, body), 400)
			badBody(t, what+" as null", a.send(c, strings.ReplaceAll(body, `"x"`, "null")), 400)
		}
		other := c.withMember(`"` + strings.ToUpper(name) + `":"bob"`)
		switch got := a.send(c, other); {
		case c.fold || strings.HasPrefix(c.path, "/login-token"): // whose records have no other members
			badBody(t, "another case", got, 400)
		case got.status != c.ok: // another case is another member, and means nothing
			t.Errorf("another case: %v", got)
		}
		for _, folded := range []string{strings.Replace(name, "s", "\u017f", 1), strings.Replace(name, "k", "\u212a", 1)} {
			if got := a.send(c, c.withMember(`"`+folded+`":"bob"`)); folded != name && got.status != c.ok && got.status != 400 {
				t.Errorf("what Unicode folds to the name: %v", got)
			}
		}
	})
	a.run("a token in a guarded body", func(t *testing.T) {
		good := `"token":"` + a.user + `"`
		a.passed(a.post("/x", "{"+good+"}", jsonType))
		for _, member := range []string{`"token":"x"`, `"\u0074oken":"x"`, `"token":null`, good} {
			for _, body := range []string{"{" + good + "," + member + "}", "{" + member + "," + good + "}"} {
				badBody(t, body[:9], a.post("/x", body, jsonType), 400)
			}
		}
	})
	a.run("a parameter of a form", func(t *testing.T) {
		const form = "Content-Type: application/x-www-form-urlencoded"
		who := []string{form, basicPair(a.machine.id, a.machine.secret)}
		const grant = "grant_type=client_credentials"
		if got := a.post("/oauth2/token", grant, who...); got.status != http.StatusOK {
			t.Fatal(got)
		}
		for _, body := range []string{grant + "&" + grant, grant + "&grant_typ%65=x", "grant_type=&" + grant, grant + "&zz=1&zz=2"} {
			badBody(t, body, a.post("/oauth2/token", body, who...), 400)
		}
	})
}

// What is not one JSON value, whole and alone, is refused.
func TestB02WhatIsNoJSONIsRefused(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		for what, body := range map[string]string{
			"trailing text":     c.body + "x",
			"a trailing comma":  c.body + ",",
			"a second object":   c.body + c.body,
			"a second line":     c.body + "\n" + c.body,
			"a NUL at the end":  c.body + "\x00",
			"a comment":         "/*x*/" + c.body,
			"a comment inside":  strings.Replace(c.body, "{", "{/*x*/", 1),
			"a line comment":    c.body + "//x",
			"NaN":               c.withMember(`"n":NaN`),
			"infinity":          c.withMember(`"n":-Infinity`),
			"a hex number":      c.withMember(`"n":0x1`),
			"a leading zero":    c.withMember(`"n":01`),
			"single quotes":     strings.ReplaceAll(c.body, `"`, "'"),
			"a bare name":       strings.Replace(c.body, `{"`, `{`, 1),
			"a cut end":         c.body[:len(c.body)-1],
			"a raw line break":  c.withMember("\"n\":\"a\nb\""),
			"a lone surrogate":  c.withMember(`"n":"\ud800"`),
			"invalid UTF-8":     c.withMember("\"n\":\"\xff\""),
			"overlong UTF-8":    c.withMember("\"n\":\"\xc0\xaf\""),
			"a word":            "nothing",
			"a number":          "1",
			"a text":            `"x"`,
			"a form":            "username=ann&password=x",
			"UTF-16":            "\xff\xfe{\x00}\x00",
			"two marks":         "\ufeff\ufeff" + c.body,
			"a mark at the end": c.body + "\ufeff",
		} {
			badBody(t, what, a.send(c, body), 400)
		}
		if got := a.send(c, "\ufeff"+c.body); !c.lax {
			badBody(t, "a byte order mark", got, 400)
		} else if got.status != c.ok {
			t.Errorf("a byte order mark: %v", got)
		}
	})
}

// The vectors of JSONTestSuite, as a body and as the value of a member.
func TestB02JSONTestSuiteIsRefused(t *testing.T) {
	folder := filepath.Join(corpusFolder(t, "JSONTestSuite"), "test_parsing")
	paths, err := filepath.Glob(filepath.Join(folder, "n_*.json"))
	if err != nil || len(paths) < 180 {
		t.Fatalf("only %d vectors found, %v", len(paths), err)
	}
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(path)
			if trimmed := strings.Trim(string(text), "\ufeff \t\r\n"); !c.blank || trimmed != "" {
				badBody(t, name, a.send(c, string(text)), 400, 413)
			}
			within := strings.Replace(c.body, "{", `{"vector":`+string(text)+",", 1)
			if json.Valid([]byte(within)) && utf8.ValidString(within) {
				continue // the rest of the body made it whole
			}
			badBody(t, name+" as a member", a.send(c, within), 400, 413)
		}
	})
}

// A member of another type is no member.
func TestB06AMemberOfAnotherTypeIsRefused(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		var members map[string]any
		if err := json.Unmarshal([]byte(c.body), &members); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.texts {
			for _, value := range []any{
				1, 1.5, true, false,
				[]any{},
				[]any{members[name]},
				[]any{annName, annName},
				map[string]any{},
				map[string]any{"$ne": nil},
				map[string]any{"$gt": ""},
				map[string]any{"$regex": ".*"},
				map[string]any{name: members[name]},
			} {
				changed := maps.Clone(members)
				changed[name] = value
				body, err := json.Marshal(changed)
				if err != nil {
					t.Fatal(err)
				}
				badBody(t, string(body), a.send(c, string(body)), 400)
			}
		}
		for _, body := range []string{"[" + c.body + "]", "[1]", "true", `["` + annName + `"]`} {
			if strings.HasPrefix(body, "[{") && c.name == "login_token create" {
				continue // takes many
			}
			badBody(t, body, a.send(c, body), 400)
		}
	})
	a.run("no null is a password", func(t *testing.T) {
		for _, c := range a.bodyCalls() {
			if !slices.Contains(c.texts, "password") && !slices.Contains(c.texts, "ApiKey") {
				continue
			}
			for _, name := range c.texts {
				var members map[string]any
				if err := json.Unmarshal([]byte(c.body), &members); err != nil {
					t.Fatal(err)
				}
				for _, value := range []any{nil, ""} {
					members[name] = value
					body, _ := json.Marshal(members)
					badBody(t, string(body), a.send(c, string(body)), 400, 401)
				}
			}
		}
	})
}
