package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// TestAPathThatReadsTwoWaysIsRefusedAndNeverPublic with a good credential or
// none, on a site where everything is public.
func TestAPathThatReadsTwoWaysIsRefusedAndNeverPublic(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Paths: []string{"/*"}}}})
	wantForwarded(t, w.do(get("/docs/x")), "")
	w.wantCounted("anonymous")
	for _, target := range []string{
		"/docs/../private", "/docs/./x", "//private", "/docs//x", "/docs/%2e%2e/private", "/docs/.%2E/private",
		"/docs%2fprivate", "/docs%2Fprivate", "/docs/..;/private", "/docs;a=b/x", "/docs%3bx", "/docs/%252e%252e/private",
		`/docs/..\private`, "/docs/%5cprivate", "/docs%23x", "/docs%3Fx", "/docs/%00", "/docs/%0d%0a", "/docs/%ff", "/docs/%c0%ae",
	} {
		for _, lines := range [][]string{nil, {asAnn}} {
			r := withTarget(t, target, lines...)
			got := w.do(r)
			if got.forwarded != nil {
				t.Errorf("%s got through", target)
			}
			wantRefused(t, got, http.StatusBadRequest)
			if e := w.wantReason(gateway.Refused, auth.ReasonPath); strings.ContainsAny(e.Path, "\r\n\x00") {
				t.Errorf("the audit log has %q", e.Path)
			}
		}
	}
}

// withTarget is a request as a server makes it of this target.
func withTarget(t testing.TB, target string, lines ...string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	must(t, err)
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com/", http.NoBody)
	r.URL, r.RequestURI = u, target
	return with(r, lines...)
}

func TestAnAbsoluteTargetWithAnotherPathIsRefused(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Paths: []string{"/docs/*"}}}})
	r := withTarget(t, "/docs/x")
	r.RequestURI = "http://elsewhere/private"
	wantRefused(t, w.do(r), http.StatusBadRequest)
}

func TestAMethodThatIsNotServedIsRefusedWithThoseThatAre(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs, Methods: []string{"REPORT"}})
	for _, method := range []string{"TRACE", "TRACK", "CONNECT", "get", "Post", "PROPFIND", "QUERY"} {
		for _, lines := range [][]string{nil, {asAnn}} {
			got := w.do(request(method, "/docs/x", lines...))
			wantRefused(t, got, http.StatusMethodNotAllowed)
			if allow := got.Header.Get("Allow"); allow != "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, REPORT" {
				t.Errorf("Allow is %q", allow)
			}
			if got.Header.Get("WWW-Authenticate") != "" {
				t.Error("a wrong method is answered with a challenge")
			}
			w.wantReason(gateway.Refused, auth.ReasonMethod)
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"} {
		wantForwarded(t, w.do(request(method, "/x", asAnn)), annID)
		w.wantCounted("passed")
		wantRefused(t, w.do(request(method, "/x")), http.StatusUnauthorized)
		w.wantReason(gateway.Refused, "no_credential")
	}
}

// TestAWrongMethodIsAMatterOfHTTP, whatever shape refusals have: few dialects
// know a status for it.
func TestAWrongMethodIsAMatterOfHTTP(t *testing.T) {
	for _, name := range table.Names() {
		w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, name)}})
		got := w.do(request("TRACE", "/x", asAnn))
		wantRefused(t, got, http.StatusMethodNotAllowed)
		if got.Header.Get("Content-Type") != "application/problem+json" || got.Header.Get("Allow") == "" {
			t.Errorf("%s: answered with %v", name, got.Header)
		}
	}
}

func TestTheMethodsOfOneSiteAreNotThoseOfAnother(t *testing.T) {
	allow := func(methods ...string) string {
		w := newWorld(t, gateway.Config{Methods: methods})
		return w.do(request("TRACE", "/x")).Header.Get("Allow")
	}
	first := allow("REPORT")
	if second := allow(); second == first || slices.Contains(strings.Split(second, ", "), "REPORT") {
		t.Errorf("Allow is %q after %q", second, first)
	}
}

func TestTheFormOfOptionsIsGuardedToo(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs})
	r := request(http.MethodOptions, "/")
	r.RequestURI, r.URL.Path = "*", "*"
	wantRefused(t, w.do(r), http.StatusUnauthorized)
}
