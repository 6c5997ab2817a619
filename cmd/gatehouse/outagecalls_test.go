package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// callsSite answers every login API, each where it is in no other's way, and
// guards one site for each kind of refusal.
const callsSite = `{
	auto_https off
	log {
		format gatehouse
		level WARN
	}
	gatehouse {
		%s
	}
}

http://:{$PORT} {
	bind 127.0.0.1
	gatehouse {
		login management /v1/auth
		login management /v1/jwt {
			format jwt
		}
		login timed_login /timed
		login entity_token /entities
		login login_token /login-token
		login crm_token /crm
		login oauth2 /oauth2
		accept bearer api_key key_user_token
		accept query Token
		public /open/*
		errors problem
		insecure_http
	}
	respond "for {http.auth.user.username}"
}
`

// shapes are how each API says that it is not available, in part. A refusal of
// the guard is a problem (RFC 9457).
var shapes = map[string]string{
	"guard":        `"title":"Service Unavailable","status":503`,
	"management":   `"success":false,"code":503,"message":"The service is not available for the moment."`,
	"timed_login":  `not available`,
	"entity_token": `{"success":false,"error":"The service is not available for the moment."}`,
	"login_token":  `{"name":"Unavailable","message":"The service is not available for the moment","code":503,"className":"unavailable"}`,
	"crm_token":    `{"status":{"code":"SERVER_ERROR","message":"The service is not available at the moment."`,
	"oauth2":       `"error":"temporarily_unavailable"`,
}

// needy is one request that needs the store.
type needy struct {
	name, shape, method, path, body string
	lines                           []string
	// bad is what must never pass.
	bad bool
}

// patron is an account that may use every login API, and what it was given.
type patron struct {
	*node
	password, tenant string
	key, ofTenant    keyPair
}

const patronName, patronTenant = "mia", "Acme"

func newPatron(t *testing.T, storage string) *patron {
	t.Helper()
	m := &patron{node: newNode(t, storage), password: clientPassword, tenant: patronTenant}
	if err := os.WriteFile(filepath.Join(m.folder, "Caddyfile"), fmt.Appendf(nil, callsSite, storage), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start("run")
	var ignored map[string]any
	m.command(&ignored, "tenant", "add", patronTenant)
	m.joined(patronName, patronTenant)
	m.key = m.node.key(patronName)
	var printed map[string]any
	m.command(&printed, "key", "create", "--tenant", patronTenant, "--permissions", "read,write,delete,create")
	m.ofTenant = keyPair{fmt.Sprint(printed["id"]), fmt.Sprint(printed["key"])}
	return m
}

// joined imports an account of a tenant, whose hash is a cheap one.
func (m *patron) joined(name, tenant string) {
	m.t.Helper()
	m.imported(tenant, [2]string{name, "user"})
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return string(text)
}

// textIn finds the first string below a name in a document of JSON, whatever it
// is a part of.
func textIn(body, name string) string {
	_, rest, _ := strings.Cut(body, `"`+name+`":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

const (
	jsonLine = "Content-Type: application/json"
	formLine = "Content-Type: application/x-www-form-urlencoded"
)

// answered makes a call that has to succeed, and returns what is below a name in
// the answer.
func (m *patron) answered(c needy, name string) string {
	m.t.Helper()
	return m.insist(c.name, func() (string, reply) {
		r := m.make(c)
		return textIn(r.body, name), r
	})
}

func (m *patron) make(c needy) reply {
	return m.call(c.method, m.url(c.path), c.body, c.lines...)
}

// basic is the credential of an OAuth client.
func (m *patron) basic() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(m.key.id+":"+m.key.secret))
}

func post(shape, name, path, body string, lines ...string) needy {
	return needy{name: name, shape: shape, method: http.MethodPost, path: path, body: body, lines: lines}
}

// calls returns all that the store is needed for. Every token among them is new.
func (m *patron) calls() []needy {
	m.t.Helper()
	byPassword := jsonText(map[string]string{"username": patronName, "password": m.password})
	login := post("management", "a login of management", "/v1/auth/login", byPassword, jsonLine)
	jwt := post("management", "a login for a JWT", "/v1/jwt/login", byPassword, jsonLine)
	fresh := func() string { return bearerLine(m.answered(login, "token")) }
	known := func(line string) string { // so that what comes after is the first to wait
		m.passes(line)
		return line
	}
	grant := post("oauth2", "a token of oauth2", "/oauth2/token", "grant_type=client_credentials", formLine, m.basic())
	timed := post("timed_login", "a timed login", "/timed", jsonText(map[string]string{"UserLogin": patronName, "ApiKey": m.key.secret}), jsonLine)
	crm := post("crm_token", "a login of crm_token", "/crm/token",
		jsonText(map[string]string{"username": patronName, "password": m.password, "organisation": m.tenant}), jsonLine)
	entity := func() needy {
		return post("entity_token", "an entity token", "/entities/"+url.PathEscape(m.tenant)+"/users/"+patronName+"/authentication-token", "{}",
			jsonLine, "apikey: "+m.ofTenant.secret, "userid: "+patronName, "token: "+strings.TrimPrefix(known(fresh()), "Authorization: Bearer "))
	}
	local := post("login_token", "a login of login_token", "/authentication",
		jsonText(map[string]string{"strategy": "local", "username": patronName, "password": m.password}), jsonLine)
	caller := func() string { return bearerLine(m.answered(local, "accessToken")) }
	record := m.make(post("login_token", "", "/login-token", "{}", jsonLine, caller()))
	link, id := textIn(record.body, "token"), textIn(record.body, "id")
	wrong := post("management", "a login with a wrong password", "/v1/auth/login", jsonText(map[string]string{"username": patronName, "password": "not it"}), jsonLine)
	wrong.bad = true
	nobody := post("crm_token", "a login of nobody", "/crm/token",
		jsonText(map[string]string{"username": "nobody-" + rand.Text(), "password": m.password, "organisation": m.tenant}), jsonLine)
	nobody.bad = true
	guard := func(name, path string, bad bool, lines ...string) needy {
		return needy{name: name, shape: "guard", method: http.MethodGet, path: path, lines: lines, bad: bad}
	}
	return []needy{
		guard("a token that was never seen", "/api/x", false, fresh()),
		guard("a JWT that was never seen", "/api/x", false, bearerLine(m.answered(jwt, "token"))),
		guard("an unknown token", "/api/x", true, bearerLine("ght_unknown")),
		guard("an unknown token on a public path", "/open/x", true, bearerLine("ght_unknown2")),
		guard("an unknown key", "/api/x", true, "x-api-key: api_unknown"),
		guard("an unknown token in the query", "/api/x?Token=a45a039c-eb31-46f1-9ece-88aa5ccfe22c", true),
		guard("a key, who and a token", "/api/x", false, "apikey: "+m.key.secret, "userid: "+patronName, "token: "+strings.TrimPrefix(fresh(), "Authorization: Bearer ")),
		login, jwt, wrong,
		post("management", "a logout", "/v1/auth/logout", "{}", jsonLine, known(fresh())),
		{name: "who am I", shape: "management", method: http.MethodGet, path: "/v1/auth/user", lines: []string{known(fresh())}},
		timed,
		entity(),
		local,
		post("login_token", "a link", "/login-token", "{}", jsonLine, known(caller())),
		{name: "links", shape: "login_token", method: http.MethodGet, path: "/login-token", lines: []string{known(caller())}},
		{name: "a link that is used", shape: "login_token", method: http.MethodGet, path: "/login/" + id + "?token=" + link},
		crm, nobody,
		post("crm_token", "a release", "/crm/token/release", jsonText(map[string]string{"token": m.answered(crm, "token")}), jsonLine),
		grant,
		post("oauth2", "a refresh", "/oauth2/token", "grant_type=refresh_token&refresh_token="+m.answered(grant, "refresh_token"), formLine, m.basic()),
		post("oauth2", "an introspection", "/oauth2/introspect", "token="+m.answered(grant, "access_token"), formLine, m.basic()),
		post("oauth2", "a revocation", "/oauth2/revoke", "token="+m.answered(grant, "access_token"), formLine, m.basic()),
	}
}
