package gateway_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

var everySpelling = policy.Reader{EncodedSlash: true, DoubleSlash: true, Semicolon: true, Backslash: true}

// TestAnAllowedSpellingIsPublicOnlyHoweverItIsRead, and what is required holds
// for every way to read it.
func TestAnAllowedSpellingIsPublicOnlyHoweverItIsRead(t *testing.T) {
	withX := func(r *http.Request) (bool, error) { return strings.HasPrefix(r.URL.EscapedPath(), "/matched/"), nil }
	cfg := gateway.Config{
		Paths:  everySpelling,
		Public: []gateway.Rule{{Paths: []string{"/docs/*", "/a/b/*"}}, {Match: withX}},
		Require: []gateway.Requirement{
			{Rule: below("/docs/inner/*"), Roles: []string{"admin"}},
			{Rule: below("/tenants/*"), Tenants: []string{"{path.1}"}},
			{Rule: gateway.Rule{Match: func(r *http.Request) (bool, error) { return r.URL.Path == "/strict/x", nil }}, Roles: []string{"admin"}},
		},
		Logins: []gateway.Login{login(t, "management")},
	}
	for _, c := range []struct {
		target, line string
		status       int
		reason       auth.Reason
	}{
		{"/docs/a%2Fb", "", 200, ""},
		{"/docs/a//b;c", "", 200, ""},
		{`/docs/a\b`, "", 200, ""},
		{"/docs%2Fa", "", 401, "no_credential"},
		{`/docs\a`, "", 401, "no_credential"},
		{"/docs;x/a", "", 401, "no_credential"},
		{"/docs/;x", "", 200, ""},
		{"/docs/a%2Fb", asNobody, 200, ""},
		{"/docs%2Fa", asAnn, 200, ""},
		{"/a%2Fb/c", "", 401, "no_credential"},
		{"/matched/a%2Fb", "", 200, ""},
		{"/matched%2Fa/b", "", 401, "no_credential"},
		{"/docs/../x", asAnn, 400, auth.ReasonPath},
		{"/docs/..%2Fx", asAnn, 400, auth.ReasonPath},
		{"/docs/..;/x", asAnn, 400, auth.ReasonPath},
		{"//docs/x", asAnn, 400, auth.ReasonPath},
		{"/docs%2Finner/x", asAnn, 403, auth.ReasonRole},
		{"/docs//inner/x", "", 401, "no_credential"},
		{"/docs//inner/x", asAnn, 403, auth.ReasonRole},
		{`/docs\inner;a=b/x`, asAnn, 403, auth.ReasonRole},
		{"/docs/inner;x", asAnn, 403, auth.ReasonRole},
		{"/strict;a/x", asAnn, 403, auth.ReasonRole},
		{"/strict//x", asAnn, 403, auth.ReasonRole},
		{"/strict//y", asAnn, 200, ""},
		{"/tenants/t-1", asAnn, 200, ""},
		{"/tenants/t-1/a%2Fb", asAnn, 200, ""},
		{"/tenants/t-1//x", asAnn, 200, ""},
		{"/tenants/t-2//x", asAnn, 403, auth.ReasonTenant},
		{"/tenants//t-1", asAnn, 403, auth.ReasonTenant},
		{"/tenants%2Ft-1/t-2", asAnn, 200, ""}, // t-1's, or nothing of /tenants
		{"/tenants%2Ft-2/t-1", asAnn, 403, auth.ReasonTenant},
		{"/tenants/t-2;/t-1", asAnn, 403, auth.ReasonTenant},
		{"/tenants/t-1%2Ft-2", asAnn, 403, auth.ReasonTenant},
		{"/tenants/t-1;t-2", asAnn, 403, auth.ReasonTenant},
		{"/v1/auth%2Flogin", asAnn, 400, auth.ReasonPath},
		{"/v1//auth/login", asAnn, 400, auth.ReasonPath},
		{"/v1/auth;x", asAnn, 400, auth.ReasonPath},
	} {
		t.Run(strings.TrimSpace("GET "+c.target+" "+strings.TrimPrefix(c.line, "Authorization: ")), func(t *testing.T) {
			w := newWorld(t, cfg)
			var lines []string
			if c.line != "" {
				lines = []string{c.line}
			}
			r := withTarget(t, c.target, lines...)
			before := *r.URL
			got := w.do(r)
			if got.forwarded == nil && got.StatusCode != c.status || (got.forwarded != nil) != (c.status == 200) {
				t.Fatalf("forwarded %v, answered %d, want %d", got.forwarded != nil, got.StatusCode, c.status)
			}
			if *r.URL != before {
				t.Errorf("the URL is %+v, was %+v", *r.URL, before)
			}
			if c.reason != "" && !slices.ContainsFunc(w.refusals(), func(e auth.Event) bool { return e.Reason == c.reason || c.reason == "no_credential" }) {
				t.Errorf("refusals are %+v, want %s", w.refusals(), c.reason)
			}
		})
	}
}

func TestASiteThatFoldsCaseOpensInAnyCase(t *testing.T) {
	for _, folds := range []bool{false, true} {
		w := newWorld(t, gateway.Config{Public: docs, Paths: policy.Reader{FoldCase: folds}})
		wantForwarded(t, w.do(get("/docs/x")), "")
		if got := w.do(get("/DOCS/x")); (got.forwarded != nil) != folds {
			t.Errorf("folds %v: answered %d", folds, got.StatusCode)
		}
		wantRefused(t, w.do(withTarget(t, "/docs/a%2Fb")), http.StatusBadRequest)
	}
}

func TestAnExplanationTellsEveryReading(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	x, _ := w.explained(gateway.Config{Paths: everySpelling}, withTarget(t, "/a%2Fb;c", asAnn))
	step := x.Steps()[0]
	var others []string
	for _, f := range step.Facts {
		if f.Name == "or" {
			others = append(others, f.Value)
		}
	}
	if step.Stage != gateway.PathStage || step.Outcome != gateway.StepHolds || !slices.Contains(others, "/a%2Fb") || !slices.Contains(others, "/a/b") {
		t.Errorf("the first step is %+v", step)
	}
}

// TestNothingIsChangedFromEarlyData: whoever recorded it could send it again.
// What is safe goes on, and Caddy's proxy tells the upstream of it.
func TestNothingIsChangedFromEarlyData(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs, Methods: []string{"REPORT"}})
	early := func(method, target string) *http.Request {
		r := request(method, target, asAnn)
		r.TLS = &tls.ConnectionState{}
		return r
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "REPORT"} {
		for _, target := range []string{"/x", "/docs/x"} {
			wantRefused(t, w.do(early(method, target)), http.StatusTooEarly)
			w.wantReason(gateway.Refused, auth.ReasonEarlyData)
		}
		wantRefused(t, w.do(request(method, "/x", asAnn, "Early-Data: 1")), http.StatusTooEarly)
		w.wantReason(gateway.Refused, auth.ReasonEarlyData)
		wantForwarded(t, w.do(request(method, "/x", asAnn)), annID)
		w.wantCounted("passed")
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		wantForwarded(t, w.do(early(method, "/x")), annID)
	}
}

// TestEarlyDataIsAMatterOfHTTP, whatever shape refusals have.
func TestEarlyDataIsAMatterOfHTTP(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "crm_token")}})
	got := w.do(request("DELETE", "/x", asAnn, "Early-Data: 1"))
	wantRefused(t, got, http.StatusTooEarly)
	if got.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered with %v", got.Header)
	}
}
