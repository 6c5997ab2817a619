package gateway_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// docs makes what is below /docs public, and /healthz.
var docs = []gateway.Rule{{Paths: []string{"/healthz", "/docs/*"}}}

func TestAPublicPathNeedsNoCredentialAndChecksOneThatIsSent(t *testing.T) {
	for _, c := range []struct {
		name    string
		lines   []string
		subject string
		outcome string
	}{
		{"none is sent", nil, "", "anonymous"},
		{"a good one is attached", []string{asAnn}, annID, "passed"},
		{"a bad one counts for nothing", []string{asNobody}, "", "anonymous"},
		{"a bad one beside a good one counts for nothing", []string{asAnn, withBadKey}, "", "anonymous"},
		{"two values of one source count for nothing", []string{asAnn, asBob}, "", "anonymous"},
		{"two of different callers count for nothing", []string{asAnn, withBobKey}, "", "anonymous"},
		{"one of no form counts for nothing", []string{formlessKey}, "", "anonymous"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Public: docs})
			got := w.do(get("/docs/x", c.lines...))
			wantForwarded(t, got, c.subject)
			for _, name := range []string{"Authorization", "X-Api-Key"} {
				if v := got.forwarded.Header[name]; len(v) > 0 {
					t.Errorf("the upstream was sent %s: %q", name, v)
				}
			}
			if n := len(w.attached); n != 1 || (w.attached[0] == nil) != (c.subject == "") {
				t.Errorf("the server was told %d times: %v", n, w.attached)
			}
			w.wantCounted(c.outcome)
		})
	}
}

// TestAStoreOutOfReachIsNotHiddenByAPublicPath: who sends a credential is
// somebody, and must not be answered as nobody.
func TestAStoreOutOfReachIsNotHiddenByAPublicPath(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs})
	w.rows.fault = down
	wantForwarded(t, w.do(get("/docs/x")), "")
	w.wantCounted("anonymous")
	got := w.do(get("/docs/x", asAnn))
	wantRefused(t, got, http.StatusServiceUnavailable)
	w.wantReason(gateway.Refused, auth.ReasonStore)
}

// TestOnlyTheVeryPathIsPublic: another spelling is not.
func TestOnlyTheVeryPathIsPublic(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs})
	for path, public := range map[string]bool{
		"/healthz": true, "/docs/": true, "/docs/a/b": true, "/docs/%61": true, "/healthz?x=1": true,
		"/": false, "/docs": false, "/Docs/a": false, "/HEALTHZ": false, "/healthz/": false, "/healthzz": false,
		"/docsx/a": false, "/x/docs/a": false, "/x?/docs/a": false,
	} {
		got := w.do(get(path))
		if public {
			wantForwarded(t, got, "")
			continue
		}
		if got.forwarded != nil {
			t.Errorf("%s was forwarded without a credential", path)
		}
		wantRefused(t, got, http.StatusUnauthorized)
	}
}

func TestAMatcherCanMakeARequestPublic(t *testing.T) {
	isGet := func(r *http.Request) (bool, error) { return r.Method == http.MethodGet, nil }
	w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Match: isGet}}})
	wantForwarded(t, w.do(get("/x")), "")
	wantRefused(t, w.do(request(http.MethodPost, "/x")), http.StatusUnauthorized)
}

// TestAMatcherSeesNoForgedIdentity, or a client could make itself public.
func TestAMatcherSeesNoForgedIdentity(t *testing.T) {
	for _, observe := range []bool{false, true} {
		byRole := func(r *http.Request) (bool, error) { return r.Header.Get("X-Auth-Roles") != "", nil }
		w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Match: byRole}}, Observe: observe})
		got := w.do(get("/x", "X-Auth-Roles: admin"))
		if !observe {
			wantRefused(t, got, http.StatusUnauthorized)
		}
		if n := len(w.refusals()); n != 1 {
			t.Errorf("observe %v: %d refusals were audited", observe, n)
		}
	}
}

func TestAMatcherThatFailsIsAFaultOfOurs(t *testing.T) {
	broken := func(*http.Request) (bool, error) { return true, errors.New("broken") }
	w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Match: broken}}})
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusInternalServerError)
	w.wantReason(gateway.Refused, "internal")
	w = newWorld(t, gateway.Config{Require: []gateway.Requirement{{Rule: gateway.Rule{Match: broken}}}})
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusInternalServerError)
	w.wantReason(gateway.Refused, "internal")
}
