package gateway_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestARefusalTellsItsReasonToOperatorsOnly: with debug it does, and the answer
// is otherwise the same.
func TestARefusalTellsItsReasonToOperatorsOnly(t *testing.T) {
	rules := gateway.Config{
		Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}},
	}
	loud := rules
	loud.Debug = true
	quiet, told := newWorld(t, rules), newWorld(t, loud)
	for _, w := range []*world{quiet, told} {
		w.addKey("planted-key-that-was-revoked", store.Key{Account: annID, Revoked: w.now()})
	}
	for name, c := range map[string]struct {
		target, line string
		status       int
		reason       auth.Reason
	}{
		"nothing presented":    {"/x", "Accept: */*", http.StatusUnauthorized, "no_credential"},
		"an unknown token":     {"/x", asNobody, http.StatusUnauthorized, auth.ReasonUnknown},
		"a revoked key":        {"/x", "X-Api-Key: planted-key-that-was-revoked", http.StatusUnauthorized, auth.ReasonRevoked},
		"a role that is not":   {"/admin/x", asAnn, http.StatusForbidden, auth.ReasonRole},
		"a path of two kinds":  {"//x", asAnn, http.StatusBadRequest, auth.ReasonPath},
		"a token with a space": {"/x", formlessKey, http.StatusUnauthorized, auth.ReasonForm},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := quiet.do(get(c.target, c.line)), told.do(get(c.target, c.line))
			wantRefused(t, a, c.status)
			wantRefused(t, b, c.status)
			if got := a.Header.Values(gateway.ReasonField); got != nil {
				t.Errorf("without debug it tells %q", got)
			}
			if got := b.Header.Get(gateway.ReasonField); got != string(c.reason) {
				t.Errorf("with debug it tells %q, want %q", got, c.reason)
			}
			if a.body != b.body || a.Header.Get("WWW-Authenticate") != b.Header.Get("WWW-Authenticate") {
				t.Error("debug changes more than the field")
			}
		})
	}
}

func TestALoginTellsNoReason(t *testing.T) {
	w := newWorld(t, gateway.Config{Debug: true, Logins: []gateway.Login{login(t, "management")}})
	r := with(request(http.MethodPost, "/v1/auth/login"), "Content-Type: application/json")
	got := w.do(r)
	if got.StatusCode < 400 || got.Header.Get(gateway.ReasonField) != "" {
		t.Errorf("answered %d with %q", got.StatusCode, got.Header.Get(gateway.ReasonField))
	}
}
