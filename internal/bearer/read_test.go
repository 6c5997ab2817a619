package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// request returns a GET with these header lines, each "Name: value".
func request(lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func withQuery(query string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{}, URL: &url.URL{Path: "/x", RawQuery: query}, RequestURI: "/x?" + query}
}

func withBody(method, body string) *http.Request {
	return httptest.NewRequest(method, "/", strings.NewReader(body))
}

// want is what a source gives: a credential, an error, or neither.
type want struct {
	c      bearer.Credential
	code   auth.Code
	reason auth.Reason
}

func absent() want { return want{} }
func token(k auth.CredentialKind, t string) want {
	return want{c: bearer.Credential{Kind: k, Token: t}}
}

func key(k auth.CredentialKind, t string) want { return want{c: bearer.Credential{Kind: k, Key: t}} }
func malformed(r auth.Reason) want             { return want{code: auth.Malformed, reason: r} }
func invalid(r auth.Reason) want               { return want{code: auth.InvalidCredential, reason: r} }

func (w want) check(t *testing.T, s bearer.Spec, r *http.Request) {
	t.Helper()
	got, present, err := s.Read(r)
	if w.code != 0 {
		if e := auth.AsError(err); e == nil || e.Code != w.code || e.Reason != w.reason {
			t.Errorf("got error %v, want %s: %s", err, w.code, w.reason)
		}
		if present || got != (bearer.Credential{}) {
			t.Error("an error came with a credential")
		}
		return
	}
	if err != nil {
		t.Fatalf("got error %v", err)
	}
	if present != (w.c.Kind != "") {
		t.Errorf("present is %v", present)
	}
	if got != w.c {
		t.Errorf("got %q/%q/%q/%q, want %q/%q/%q/%q",
			got.Token, got.Key, got.User, got.Entity, w.c.Token, w.c.Key, w.c.User, w.c.Entity)
	}
}

type readCase struct {
	r    *http.Request
	want want
}

func runReads(t *testing.T, s bearer.Spec, cases map[string]readCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { c.want.check(t, s, c.r) })
	}
}
