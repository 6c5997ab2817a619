package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// calls are what the tests of this package do in a dialect, on the site of
// [everyLogin].
type calls struct {
	// login is ann's.
	login func(lines ...string) *http.Request
	// guarded is a guarded request with a token that a login gave.
	guarded func(token string) *http.Request
	// changes are the calls beside the login that spend, make or withdraw
	// something, given such a token.
	changes func(token string) []*http.Request
}

// dialectCalls has an entry for every dialect.
var dialectCalls = map[string]calls{
	"login_token":  {loginTokenLogin, loginTokenGuarded, loginTokenChanges},
	"management":   {managementLogin, bearing, managementChanges},
	"entity_token": {entityTokenLogin, entityTokenGuarded, entityTokenChanges},
	"timed_login":  {timedLogin, timedGuarded, noChanges},
	"crm_token":    {crmTokenLogin, crmTokenGuarded, crmTokenChanges},
	"oauth2":       {oauth2Login, bearing, oauth2Changes},
}

// callsOf returns the calls of a dialect, which must have an entry.
func callsOf(t testing.TB, name string) calls {
	t.Helper()
	c, ok := dialectCalls[name]
	if !ok {
		t.Fatalf("dialectCalls has no entry for %s", name)
	}
	return c
}

func post(path, body string, lines ...string) *http.Request {
	return posted(path, body, append(lines, "Content-Type: application/json")...)
}

func posted(path, body string, lines ...string) *http.Request {
	r := request(http.MethodPost, path, lines...)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

func bearing(token string) *http.Request { return get("/x", "Authorization: Bearer "+token) }

// noChanges is of a dialect that logs in and nothing else.
func noChanges(string) []*http.Request { return nil }

func loginTokenLogin(lines ...string) *http.Request {
	return post("/feathers/authentication", `{"strategy":"local","username":"ann","password":"`+annSecret+`"}`, lines...)
}

func loginTokenGuarded(token string) *http.Request { return get("/x", "Authorization: jwt "+token) }

func loginTokenChanges(token string) []*http.Request {
	line := "Authorization: Bearer " + token
	remove := func(path string) *http.Request { return request(http.MethodDelete, path, line) }
	patch := post("/feathers/login-token", `{}`, line)
	patch.Method = http.MethodPatch
	return []*http.Request{
		post("/feathers/login-token", `{}`, line), patch, remove("/feathers/login-token"), remove("/feathers/authentication"),
		get("/feathers/login/5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01?token=" + strings.Repeat("a", 32)), // a GET that spends its token
		get("/feathers/login/" + strings.Repeat("a", 32)),
	}
}

func managementLogin(lines ...string) *http.Request {
	return post("/v1/auth/login", `{"username":"ann","password":"`+annSecret+`"}`, lines...)
}

func managementChanges(token string) []*http.Request {
	line := "Authorization: Bearer " + token
	return []*http.Request{post("/v1/auth/logout", "", line), post("/v1/auth/user", `{"firstName":"Ann"}`, line)}
}

const annEntityToken = "/entities/Acme%20Ltd/users/ann/authentication-token"

func entityTokenLogin(lines ...string) *http.Request {
	return post(annEntityToken, "", append(lines, "apikey: "+annKey, "userid: ann", "token: "+annBearer)...)
}

func entityTokenGuarded(token string) *http.Request {
	return get("/x", "apikey: "+annKey, "entity-authentication-token: "+token)
}

func entityTokenChanges(token string) []*http.Request {
	lines := []string{"apikey: " + annKey, "userid: ann", "token: " + annBearer}
	patch := post(annEntityToken, `{}`, lines...)
	patch.Method = http.MethodPatch
	return []*http.Request{
		post(annEntityToken+"/refresh", `{"authenticationToken":"`+token+`"}`, lines...),
		patch, request(http.MethodDelete, annEntityToken, lines...),
	}
}

func timedLogin(lines ...string) *http.Request {
	return post("/login", `{"UserLogin":"ann","ApiKey":"`+annKey+`"}`, lines...)
}

func timedGuarded(token string) *http.Request { return get("/x?a=1&TOKEN=" + strings.ToUpper(token)) }

func crmTokenLogin(lines ...string) *http.Request {
	return post("/authentication/token", `{"username":"ann","password":"`+annSecret+`","organisation":"Acme Ltd"}`, lines...)
}

func crmTokenGuarded(token string) *http.Request { return get("/x?a=1&token=" + token) }

func crmTokenChanges(token string) []*http.Request {
	return []*http.Request{
		post("/authentication/token/release", `{"token":"`+token+`"}`),
		post("/authentication/web_api_key/token", "", "Authorization: Basic "+annKey),
	}
}

// oauth2Form is a call of a client: the first key of the store.
func oauth2Form(path, body string, lines ...string) *http.Request {
	lines = append(lines, "Content-Type: application/x-www-form-urlencoded")
	return posted(path, body+"&client_id=1&client_secret="+annKey, lines...)
}

func oauth2Login(lines ...string) *http.Request {
	return oauth2Form("/oauth2/token", "grant_type=client_credentials", lines...)
}

func oauth2Changes(token string) []*http.Request {
	return []*http.Request{
		oauth2Form("/oauth2/token", "grant_type=refresh_token&refresh_token="+token),
		oauth2Form("/oauth2/revoke", "token="+token),
	}
}
