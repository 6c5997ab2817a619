package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestNoLineOfTheLogHoldsATokenOfAPath, whoever refuses: the dialect, the site
// that cannot read the path, or one that is not ready yet.
func TestNoLineOfTheLogHoldsATokenOfAPath(t *testing.T) {
	token := strings.Repeat("0f", 16)
	cfg := gateway.Config{Logins: []gateway.Login{login(t, "login_token")}}
	for name, c := range map[string]struct {
		early  bool
		method string
		path   string
	}{
		"a link that is none":             {false, http.MethodGet, "/login/" + token},
		"a link by the wrong method":      {false, http.MethodPut, "/login/" + token},
		"a path that reads in two ways":   {false, http.MethodGet, "//login/" + token},
		"a link before the store is open": {true, http.MethodGet, "/login/" + token},
		"a logout":                        {false, http.MethodDelete, "/authentication/" + token},
	} {
		w := newWorld(t, cfg)
		if c.early {
			w.site = w.newSite(cfg)
		}
		w.do(request(c.method, c.path))
		if len(w.events) != 1 {
			t.Errorf("%s: %d events", name, len(w.events))
			continue
		}
		if path := w.events[0].Path; strings.Contains(path, token) || path != "" && !strings.Contains(path, auth.Redacted) {
			t.Errorf("%s: logged %q", name, path)
		}
	}
}

// TestALineOfTheLogNamesTheRequestTheRuleAndTheCredential, so that somebody can
// find out later what was wrong: also of a credential that did not count.
func TestALineOfTheLogNamesTheRequestTheRuleAndTheCredential(t *testing.T) {
	cfg := gateway.Config{
		Debug: true,
		Hooks: gateway.Hooks{RequestID: func(context.Context) string { return "request-7" }},
		Require: []gateway.Requirement{
			{Rule: below("/elsewhere/*"), Roles: []string{"admin"}},
			{Rule: below("/admin/*"), Roles: []string{"admin"}},
		},
	}
	w := newWorld(t, cfg)
	revoked := w.addKey("planted-key-that-was-revoked", store.Key{Account: annID, Revoked: w.now()})
	for name, c := range map[string]struct {
		path, line string
		want       auth.Event
	}{
		"a role":            {"/admin/x", asAnn, auth.Event{Rule: 2, Subject: annID, TokenID: annToken}},
		"a revoked key":     {"/x", "X-Api-Key: planted-key-that-was-revoked", auth.Event{Subject: annID, KeyID: revoked}},
		"an unknown key":    {"/x", "X-Api-Key: " + badKey, auth.Event{}},
		"nothing presented": {"/admin/x", "Accept: */*", auth.Event{}},
	} {
		t.Run(name, func(t *testing.T) {
			w.events = nil
			answer := w.do(get(c.path, c.line))
			if len(w.events) != 1 {
				t.Fatalf("%d events", len(w.events))
			}
			e := w.events[0]
			if e.RequestID != "request-7" || e.Host != "api.example.com" {
				t.Errorf("the request is %q of %q", e.RequestID, e.Host)
			}
			if e.Rule != c.want.Rule || e.Subject != c.want.Subject || e.TokenID != c.want.TokenID || e.KeyID != c.want.KeyID {
				t.Errorf("got %+v", e)
			}
			if got := answer.Header.Get(gateway.RequestField); got != "request-7" {
				t.Errorf("debug tells the request %q", got)
			}
		})
	}
	w = newWorld(t, gateway.Config{Hooks: cfg.Hooks})
	if got := w.do(get("/x", "Accept: */*")).Header.Values(gateway.RequestField); got != nil {
		t.Errorf("without debug it tells the request %q", got)
	}
}
