package gateway_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

// changes are the calls beside the login that spend, make or withdraw
// something, given a token of the dialect.
var changes = map[string]func(token string) []*http.Request{
	"login_token": func(token string) []*http.Request {
		line := "Authorization: Bearer " + token
		remove := func(path string) *http.Request { return request(http.MethodDelete, path, line) }
		patch := post("/feathers/login-token", `{}`, line)
		patch.Method = http.MethodPatch
		return []*http.Request{
			post("/feathers/login-token", `{}`, line), patch, remove("/feathers/login-token"), remove("/feathers/authentication"),
			get("/feathers/login/5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01?token=" + strings.Repeat("a", 32)), // a GET that spends its token
			get("/feathers/login/" + strings.Repeat("a", 32)),
		}
	},
	"management": func(token string) []*http.Request {
		line := "Authorization: Bearer " + token
		return []*http.Request{post("/v1/auth/logout", "", line), post("/v1/auth/user", `{"firstName":"Ann"}`, line)}
	},
	"entity_token": func(token string) []*http.Request {
		const path = "/entities/Acme%20Ltd/users/ann/authentication-token"
		lines := []string{"apikey: " + annKey, "userid: ann", "token: " + annBearer}
		patch := post(path, `{}`, lines...)
		patch.Method = http.MethodPatch
		return []*http.Request{
			post(path+"/refresh", `{"authenticationToken":"`+token+`"}`, lines...), patch, request(http.MethodDelete, path, lines...),
		}
	},
	"timed_login": func(string) []*http.Request { return nil }, // it logs in and nothing else
	"crm_token": func(token string) []*http.Request {
		return []*http.Request{
			post("/authentication/token/release", `{"token":"`+token+`"}`),
			post("/authentication/web_api_key/token", "", "Authorization: Basic "+annKey),
		}
	},
	"oauth2": func(token string) []*http.Request {
		form := func(path, body string) *http.Request {
			r := request(http.MethodPost, path, "Content-Type: application/x-www-form-urlencoded")
			body += "&client_id=1&client_secret=" + annKey
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			return r
		}
		return []*http.Request{
			form("/oauth2/token", "grant_type=refresh_token&refresh_token="+token), form("/oauth2/revoke", "token="+token),
		}
	},
}

// TestNoDialectChangesAnythingFromEarlyData: who recorded a refresh or a
// release could send it again.
func TestNoDialectChangesAnythingFromEarlyData(t *testing.T) {
	for _, name := range table.Names() {
		t.Run(name, func(t *testing.T) {
			if changes[name] == nil {
				t.Fatalf("nobody says here what %s changes", name)
			}
			w := newWorld(t, everyLogin(t))
			token := w.logIn(name)
			for _, r := range changes[name](token) {
				w.events = nil
				r.TLS = &tls.ConnectionState{HandshakeComplete: false}
				got := w.do(r)
				if got.forwarded != nil || got.StatusCode != http.StatusTooEarly || got.body == "" {
					t.Errorf("%s %s: forwarded %v, answered %d %s", r.Method, r.RequestURI, got.forwarded != nil, got.StatusCode, got.body)
				}
				if len(w.events) != 1 || w.events[0].Kind != auth.RefusalEvent || w.events[0].Reason != auth.ReasonEarlyData {
					t.Errorf("%s %s: audited %+v", r.Method, r.RequestURI, w.events)
				}
			}
		})
	}
}
