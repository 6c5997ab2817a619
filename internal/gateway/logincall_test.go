package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func TestEveryRefusedCallOfADialectIsAuditedOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		request *http.Request
		kind    auth.EventKind
		reason  auth.Reason
	}{
		{"a login that fails", post("/v1/auth/login", `{"username":"ann","password":"wrong"}`), auth.LoginEvent, auth.ReasonPassword},
		{"a body that cannot be read", post("/v1/auth/login", `{"username"`), auth.RefusalEvent, auth.ReasonForm},
		{"a method that is not served", get("/v1/auth/login"), auth.RefusalEvent, auth.ReasonMethod},
		{"a path that is none", get("/v1/auth/nothing"), auth.RefusalEvent, auth.ReasonPath},
		{"no credential", get("/v1/auth/user"), auth.RefusalEvent, "no_credential"},
		{"a bad credential", get("/v1/auth/user", "Authorization: Bearer ght_bad"), auth.RefusalEvent, auth.ReasonUnknown},
		{"a timed login that fails", post("/login", `{"UserLogin":"nobody","ApiKey":"x"}`), auth.LoginEvent, auth.ReasonUnknown},
		{"a timed login that lacks a field", post("/login", `{"UserLogin":"ann"}`), auth.RefusalEvent, auth.ReasonForm},
		{"a timed method that is not served", get("/login"), auth.RefusalEvent, auth.ReasonMethod},
		{"the login that is switched off", post("/login/advAuth", `{}`), auth.RefusalEvent, auth.ReasonUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, everyLogin(t))
			if got := w.do(c.request); got.StatusCode < 400 {
				t.Fatalf("answered %d", got.StatusCode)
			}
			if len(w.events) != 1 {
				t.Fatalf("%d events: %+v", len(w.events), w.events)
			}
			e := w.events[0]
			if e.OK || e.Kind != c.kind || e.Reason != c.reason || e.Dialect == "" || !e.Address.IsValid() {
				t.Errorf("audited was %+v", e)
			}
		})
	}
}

func TestABadTokenThatYieldsIsNoRefusal(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	got := w.do(get("/v1/auth/user", "Authorization: Bearer ght_bad", withAnnKey))
	if got.StatusCode != http.StatusOK || len(w.events) != 0 {
		t.Errorf("answered %d, events %+v", got.StatusCode, w.events)
	}
}

// TestDialectsThatReadOnePlaceShareIt: each adds the form of its tokens,
// whether or not the site names the place.
func TestDialectsThatReadOnePlaceShareIt(t *testing.T) {
	formed := func(prefix string) gateway.Login {
		l := login(t, "timed_login", base("/"+prefix))
		l.Kind.Credentials = func(dialect.Config) []bearer.Spec {
			return []bearer.Spec{{Kind: auth.Query, Name: "t", Form: func(text string) (string, bool) {
				return text, strings.HasPrefix(text, prefix)
			}}}
		}
		return l
	}
	for _, accept := range [][]bearer.Spec{nil, {{Kind: auth.Query, Name: "t"}}} {
		w := newWorld(t, gateway.Config{Logins: []gateway.Login{formed("a"), formed("b")}, Accept: accept, InsecureHTTP: true, Errors: gateway.Problem})
		for target, status := range map[string]int{
			"/x?t=a1": http.StatusUnauthorized, "/x?t=b1": http.StatusUnauthorized, "/x?t=c1": http.StatusBadRequest,
		} {
			wantRefused(t, w.do(get(target)), status)
		}
	}
}

func TestOnlyOptionsHasTheAsteriskForm(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := request(method, "/x", asAnn)
		r.RequestURI, r.URL.Path = "*", "*"
		wantRefused(t, w.do(r), http.StatusBadRequest)
	}
}

func TestWhoAsksForTheCallerOnlyIsAuditedToo(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	if _, err := w.site.Identify(httptest.NewRecorder(), get("/x", "Authorization: Bearer ght_bad")); auth.CodeOf(err) != auth.InvalidCredential {
		t.Fatal(err)
	}
	w.wantReason(gateway.Refused, auth.ReasonUnknown)
	if _, err := w.site.Identify(httptest.NewRecorder(), get("/x")); auth.CodeOf(err) != auth.NoCredential {
		t.Fatal(err)
	}
	if v, err := w.site.Identify(httptest.NewRecorder(), get("/x", asAnn)); err != nil || v.Principal.Subject != annID {
		t.Fatal(v, err)
	}
	if n := len(w.refusals()); n != 0 {
		t.Errorf("%d refusals more were audited: another way in may take who brings no credential", n)
	}
}
