package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	want := map[auth.Code]int{
		auth.Internal:          http.StatusInternalServerError,
		auth.Unavailable:       http.StatusServiceUnavailable,
		auth.Malformed:         http.StatusBadRequest,
		auth.NoCredential:      http.StatusUnauthorized,
		auth.InvalidCredential: http.StatusUnauthorized,
		auth.InsufficientScope: http.StatusForbidden,
		auth.Throttled:         http.StatusTooManyRequests,
		auth.Conflict:          http.StatusConflict,
		auth.NotFound:          http.StatusNotFound,
	}
	codes := auth.Codes()
	for _, code := range append(codes, auth.Code(len(codes)), 255) {
		status, listed := want[code]
		if !listed {
			status = http.StatusInternalServerError
			if slices.Contains(codes, code) {
				t.Errorf("nobody says here what %v is", code)
			}
		}
		if got := gateway.Status(auth.Fail(code, "", nil)); got != status {
			t.Errorf("%v: %d, want %d", code, got, status)
		}
	}
	for reason, status := range map[auth.Reason]int{auth.ReasonTooLarge: 413, auth.ReasonMethod: 405, auth.ReasonPath: 400} {
		if got := gateway.Status(auth.Fail(auth.Malformed, reason, nil)); got != status {
			t.Errorf("%s: %d, want %d", reason, got, status)
		}
	}
}

func TestAFaultOfOursIsNo401InAnyShape(t *testing.T) {
	for _, shape := range append(table.Names(), gateway.Problem) {
		for _, code := range []auth.Code{auth.Internal, auth.Unavailable, auth.Conflict, auth.Throttled} {
			var logins []gateway.Login
			if shape != gateway.Problem {
				logins = append(logins, login(t, shape))
			}
			w := newWorld(t, gateway.Config{Logins: logins, Errors: shape, Accept: []bearer.Spec{{Kind: auth.Bearer}}})
			w.rows.fault = failing(code)
			got := w.do(get("/x", asAnn))
			wantRefused(t, got, got.StatusCode)
			if code != auth.Throttled && got.StatusCode < 500 && got.StatusCode != http.StatusConflict {
				t.Errorf("%s: %v is answered %d", shape, code, got.StatusCode)
			}
			if code == auth.Unavailable && (got.StatusCode != 503 || got.Header.Get("Retry-After") == "") {
				t.Errorf("%s: answered %d with %v", shape, got.StatusCode, got.Header)
			}
		}
	}
}

func TestRetryAfterIsWholeSecondsWhereItHelps(t *testing.T) {
	for _, c := range []struct {
		e    *auth.Error
		want string
	}{
		{&auth.Error{Code: auth.Throttled}, "1"},
		{&auth.Error{Code: auth.Throttled, RetryAfter: time.Millisecond}, "1"},
		{&auth.Error{Code: auth.Throttled, RetryAfter: 61*time.Second + 1}, "62"},
		{&auth.Error{Code: auth.Unavailable, RetryAfter: 2 * time.Second}, "2"},
		{&auth.Error{Code: auth.InvalidCredential, RetryAfter: time.Second}, ""},
	} {
		h := http.Header{}
		gateway.SetRetryAfter(h, c.e)
		if got := h.Get("Retry-After"); got != c.want {
			t.Errorf("%v after %v: %q, want %q", c.e.Code, c.e.RetryAfter, got, c.want)
		}
	}
}

func TestAProblemSaysItsStatusAndNoMore(t *testing.T) {
	w := newWorld(t, gateway.Config{Realm: `a "quoted" realm`})
	got := w.do(get("/x", asNobody))
	wantRefused(t, got, http.StatusUnauthorized)
	var body map[string]any
	must(t, json.Unmarshal([]byte(got.body), &body))
	if len(body) != 3 || body["type"] != "about:blank" || body["title"] != "Unauthorized" || body["status"] != 401.0 {
		t.Errorf("answered %s", got.body)
	}
	if got.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the type is %q", got.Header.Get("Content-Type"))
	}
	if c := got.Header.Get("WWW-Authenticate"); c != `Bearer realm="a \"quoted\" realm", error="invalid_token"` {
		t.Errorf("the challenge is %q", c)
	}
}

// TestABadCredentialIsOneAnswerWhateverIsWrongWithIt, byte for byte.
func TestABadCredentialIsOneAnswerWhateverIsWrongWithIt(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.revoke(bobToken)
	want := dump(w.do(get("/x", asNobody)))
	for name, r := range map[string]*http.Request{
		"revoked": get("/x", asBob), "no form": get("/x", "Authorization: Bearer !"), "a bad key": get("/x", withBadKey),
	} {
		if got := dump(w.do(r)); got != want {
			t.Errorf("%s: answered\n%s\nwant\n%s", name, got, want)
		}
	}
	w.clock.Store(int64(time.Hour)) // expired, and still remembered
	if got := dump(w.do(get("/x", asAnn))); got != want {
		t.Errorf("expired: answered\n%s\nwant\n%s", got, want)
	}
}

func dump(got result) string {
	var b strings.Builder
	_ = got.Header.Write(&b)
	return got.Status + "\n" + b.String() + got.body
}

// TestARefusalHasTheShapeThatIsConfigured or that of the only kind of dialect.
func TestARefusalHasTheShapeThatIsConfigured(t *testing.T) {
	const problem, envelope, result = `"type":"about:blank"`, `"success":false`, `"ModelStateErr"`
	for _, c := range []struct {
		name   string
		logins []gateway.Login
		errors string
		want   string
	}{
		{"no dialect", nil, "", problem},
		{"one dialect", []gateway.Login{login(t, "management")}, "", envelope},
		{"another dialect", []gateway.Login{login(t, "timed_login")}, "", result},
		{"one dialect, and problem is said", []gateway.Login{login(t, "management")}, gateway.Problem, problem},
		{"two dialects", []gateway.Login{login(t, "management"), login(t, "timed_login")}, "", problem},
		{"two dialects, and one is said", []gateway.Login{login(t, "management"), login(t, "timed_login")}, "timed_login", result},
		{"two blocks of one dialect", []gateway.Login{brokenLogin("/a"), brokenLogin("/b")}, "", "broken shape of /a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := gateway.Config{Logins: c.logins, Errors: c.errors, Accept: []bearer.Spec{{Kind: auth.Bearer}}}
			w := newWorld(t, cfg)
			got := w.do(get("/x", asNobody))
			wantRefused(t, got, http.StatusUnauthorized)
			if !strings.Contains(got.body, c.want) {
				t.Errorf("answered %s", got.body)
			}
		})
	}
}

// TestADialectIsToldWhatWasPresented, which some name in their answer.
func TestADialectIsToldWhatWasPresented(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "timed_login")}})
	got := w.do(get("/x?token=cccccccc-0000-4000-8000-00000000beef"))
	wantRefused(t, got, http.StatusUnauthorized)
	if !strings.Contains(got.body, "Token cccccccc not found") {
		t.Errorf("answered %s", got.body)
	}
}

func TestARefusalIsAuditedOnceAndWhole(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}}})
	here := httptest.NewRequest("", "/", nil).RemoteAddr
	w.do(request(http.MethodPost, "/admin/%61?token="+annBearer, withAnnKey))
	got := w.wantReason(gateway.Refused, auth.ReasonRole)
	want := auth.Event{
		Kind: auth.RefusalEvent, Realm: realm, Subject: annID, KeyID: 1, Credential: auth.APIKey, Code: auth.InsufficientScope,
		Reason: auth.ReasonRole, Address: address(from(here, get("/"))), Method: http.MethodPost, Host: "api.example.com",
		Path: "/admin/%61", Rule: 1,
	}
	if got != want {
		t.Errorf("audited was %+v, want %+v", got, want)
	}
	w.do(get("/admin/x", asAnn))
	if got := w.wantReason(gateway.Refused, auth.ReasonRole); got.TokenID != annToken || got.Credential != auth.Bearer {
		t.Errorf("audited was %+v", got)
	}
	w.do(get("/x", withBadKey))
	if got := w.wantReason(gateway.Refused, auth.ReasonUnknown); got.Subject != "" || got.Credential != auth.APIKey {
		t.Errorf("audited was %+v", got)
	}
}

// TestTheServerIsToldWhoWasRefused, for its logs, and of nobody where nobody
// was verified.
func TestTheServerIsToldWhoWasRefused(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Roles: []string{"admin"}}}})
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusForbidden)
	if w.user() != "ann" || len(w.attached) != 1 {
		t.Errorf("the server was told of %v", w.attached)
	}
	wantRefused(t, w.do(get("/x", asNobody)), http.StatusUnauthorized)
	if w.user() != "" || len(w.attached) != 2 {
		t.Errorf("the server was told of %v", w.attached)
	}
}
