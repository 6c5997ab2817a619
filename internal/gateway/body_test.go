package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// patient is a writer that notes the deadlines that are set for the body.
type patient struct {
	*httptest.ResponseRecorder
	deadlines string
}

func (p *patient) SetReadDeadline(at time.Time) error {
	switch left := time.Until(at); {
	case at.IsZero():
		p.deadlines += "lifted "
	case left > dialect.BodyTime-time.Second && left <= dialect.BodyTime:
		p.deadlines += "set "
	default:
		p.deadlines += fmt.Sprint("set to ", left, " ")
	}
	return nil
}

// sent is the body of a POST that comes in part, and then ends as err says; nil
// is its end.
func sent(target, part string, err error, lines ...string) *http.Request {
	r := request(http.MethodPost, target, lines...)
	r.Body = io.NopCloser(strings.NewReader(part))
	if err != nil {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(part), iotest.ErrReader(err)))
	}
	r.ContentLength = -1
	return r
}

func TestABodyIsAwaitedForABoundedTime(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Accept: []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.Body, Name: "token", StripMember: true}},
		Logins: []gateway.Login{login(t, "management")},
		Public: []gateway.Rule{{Paths: []string{"/open/*"}}},
		Errors: gateway.Problem,
	})
	late := os.ErrDeadlineExceeded
	good := `{"token":"` + annBearer + `"}`
	for _, c := range []struct {
		name      string
		r         *http.Request
		status    int
		deadlines string
	}{
		{"one that comes goes on without a limit", sent("/x", good, nil), 200, "set lifted "},
		{"one that is late is refused", sent("/x", good, late), 408, "set "},
		{"on a public path too: there is no whole one to hand on", sent("/open/x", `{"a":`, late), 408, "set "},
		{"so is one that the credential has to be taken out of", sent("/x", `{"a":`, late, asAnn), 408, "set "},
		{"one that breaks off on a public path is the upstream's matter", sent("/open/x", `[`, nil), 200, "set lifted "},
		{"one without a good credential is not read to its end for ever", sent("/x", `[`, nil), 401, "set set "},
		{"one that is too large neither", sent("/x", `{"`+strings.Repeat("a", 70<<10), nil), 413, "set set "},
		{"a request without a body has no limit", get("/x", asAnn), 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorder := &patient{ResponseRecorder: httptest.NewRecorder()}
			forwarded := false
			must(t, w.site.ServeHTTP(recorder, c.r, func(_ http.ResponseWriter, r *http.Request) error {
				forwarded = true
				return nil
			}))
			if recorder.Code != c.status || forwarded != (c.status == 200) || recorder.deadlines != c.deadlines {
				t.Errorf("answered %d with deadlines %q, forwarded %v; want %d and %q", recorder.Code, recorder.deadlines, forwarded, c.status, c.deadlines)
			}
		})
	}
}

func TestWhoAsksForTheCallerWaitsForABoundedTimeToo(t *testing.T) {
	w := newWorld(t, gateway.Config{Accept: []bearer.Spec{{Kind: auth.Body, Name: "token"}}})
	for _, c := range []struct {
		part      string
		err       error
		code      auth.Code
		deadlines string
	}{
		{`{"token":"planted`, os.ErrDeadlineExceeded, auth.Malformed, "set "},
		{`[`, nil, auth.NoCredential, "set lifted "},
	} {
		recorder := &patient{ResponseRecorder: httptest.NewRecorder()}
		v, err := w.site.Identify(recorder, sent("/x", c.part, c.err))
		if v != nil || auth.CodeOf(err) != c.code || recorder.deadlines != c.deadlines {
			t.Errorf("%s: %v with deadlines %q, want %v and %q", c.part, err, recorder.deadlines, c.code, c.deadlines)
		}
	}
}

func TestABodyThatNobodyWaitsForIsNotTimed(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management")}})
	for _, c := range []struct {
		name      string
		r         *http.Request
		deadlines string
	}{
		{"one that goes upstream", sent("/x", "{", nil, asAnn), ""},
		{"one that is refused is, since the server reads it before it answers", sent("/x", "{", nil), "set "},
		{"and so is that of a login that is refused unread", sent("/v1/auth/nothing", "{", nil), "set "},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorder := &patient{ResponseRecorder: httptest.NewRecorder()}
			must(t, w.site.ServeHTTP(recorder, c.r, func(http.ResponseWriter, *http.Request) error { return nil }))
			if recorder.deadlines != c.deadlines {
				t.Errorf("answered %d with deadlines %q, want %q", recorder.Code, recorder.deadlines, c.deadlines)
			}
		})
	}
}
