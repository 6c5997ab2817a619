package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// observing is a site in observe mode with something to refuse for.
func observing(t *testing.T, change ...func(*gateway.Config)) *world {
	t.Helper()
	cfg := gateway.Config{
		Observe: true, Public: docs, Logins: []gateway.Login{login(t, "management")},
		Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}},
		Fields:  []gateway.Field{{Name: "X-Own", Value: "{user}"}},
	}
	for _, c := range change {
		c(&cfg)
	}
	return newWorld(t, cfg)
}

// TestObservingForwardsEverythingAndSaysWhatItWouldHaveRefused, with the
// credential as it came and without what the client forged.
func TestObservingForwardsEverythingAndSaysWhatItWouldHaveRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		r      *http.Request
		reason auth.Reason
	}{
		{"no credential", get("/x"), "no_credential"},
		{"a bad one", get("/x", asNobody), auth.ReasonUnknown},
		{"two of one source", get("/x", asAnn, asBob), auth.ReasonDuplicate},
		{"two of different callers", get("/x", asAnn, withBobKey), auth.ReasonAmbiguous},
		{"a caller who may not", get("/admin/x", asAnn), auth.ReasonRole},
		{"a wrong method", request("TRACE", "/x", asAnn), auth.ReasonMethod},
		{"a path that reads two ways", withTarget(t, "/docs/..;/private", asAnn), auth.ReasonPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := observing(t)
			sent := c.r.Header["Authorization"]
			key := c.r.Header.Get("X-Api-Key")
			got := w.do(with(c.r, forged...))
			wantForwarded(t, got, "")
			if names := posing(got.forwarded); len(names) != 0 {
				t.Errorf("the upstream was sent %q", names)
			}
			if strings.Join(got.forwarded.Header["Authorization"], "|") != strings.Join(sent, "|") || got.forwarded.Header.Get("X-Api-Key") != key {
				t.Errorf("the credential became %v", got.forwarded.Header)
			}
			if len(w.attached) != 1 || w.attached[0] != nil {
				t.Errorf("the server was told of %v", w.attached)
			}
			if e := w.wantReason(gateway.Observed, c.reason); !e.Observed || e.Method != c.r.Method {
				t.Errorf("audited was %+v", e)
			}
		})
	}
}

func TestObservingTellsOfAGoodCallerAndKeepsTheCredential(t *testing.T) {
	w := observing(t)
	got := w.do(get("/x", append([]string{asAnn, withAnnKey}, forged...)...))
	wantForwarded(t, got, annID)
	if got.forwarded.Header.Get("Authorization") != "Bearer "+annBearer || got.forwarded.Header.Get("X-Api-Key") != annKey {
		t.Errorf("the upstream was sent %v", got.forwarded.Header)
	}
	if v := got.forwarded.Header["X-Own"]; len(v) != 1 || v[0] != "ann" {
		t.Errorf("X-Own is %q", v)
	}
	w.wantCounted("passed")
	wantForwarded(t, w.do(get("/docs/x")), "")
	w.wantCounted("anonymous")
}

// TestObservingLeavesLoginCallsToTheUpstream, which goes on answering its own.
func TestObservingLeavesLoginCallsToTheUpstream(t *testing.T) {
	w := observing(t)
	r := request(http.MethodPost, "/v1/auth/login", append([]string{"Content-Type: application/json"}, forged...)...)
	body := `{"username":"ann","password":"` + annSecret + `"}`
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	got := w.do(r)
	wantForwarded(t, got, "")
	if got.sent != body || len(posing(got.forwarded)) != 0 {
		t.Errorf("the upstream read %q with %v", got.sent, got.forwarded.Header)
	}
	w.wantCounted()
	if len(w.events) != 0 {
		t.Errorf("audited were %+v", w.events)
	}
}

func TestObservingForwardsWhatCannotBeDecided(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name   string
		change func(*gateway.Config)
		reason auth.Reason
	}{
		{"a matcher fails", func(c *gateway.Config) {
			c.Public = []gateway.Rule{{Match: func(*http.Request) (bool, error) { return false, boom }}}
		}, "internal"},
		{"a matcher panics", func(c *gateway.Config) {
			c.Public = []gateway.Rule{{Match: func(*http.Request) (bool, error) { panic(boom) }}}
		}, "internal"},
		{"a field cannot be worked out", func(c *gateway.Config) { c.Fields[0].Value = "{unknown}" }, "internal"},
		{"a hook panics over a field", func(c *gateway.Config) {
			c.Hooks.Expand = func(*http.Request, string) (string, error) { panic(boom) }
		}, "internal"},
		{"a hook panics over the caller", func(c *gateway.Config) {
			c.Hooks.Attach = func(*http.Request, *authn.Verdict) { panic(boom) }
		}, "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := observing(t, c.change)
			got := w.do(get("/x", asAnn))
			wantForwarded(t, got, "")
			if got.forwarded.Header.Get("Authorization") == "" {
				t.Error("the credential was taken out")
			}
			w.wantReason(gateway.Observed, c.reason)
		})
	}
}

func TestObservingForwardsWhileTheStoreIsOutOfReach(t *testing.T) {
	w := observing(t)
	w.rows.fault = down
	wantForwarded(t, w.do(get("/x", asAnn)), "")
	w.wantReason(gateway.Observed, auth.ReasonStore)
}

func TestObservingForwardsBeforeItCanDecide(t *testing.T) {
	w := observing(t)
	w.site = w.newSite(gateway.Config{Observe: true})
	got := w.do(get("/x", append([]string{asAnn}, forged...)...))
	wantForwarded(t, got, "")
	if names := posing(got.forwarded); len(names) != 1 || names[0] != "X-Own" { // of no meaning to this site
		t.Errorf("the upstream was sent %q", names)
	}
	w.wantReason(gateway.Observed, auth.ReasonStarting)
}

func TestObservingReadsABodyAndForwardsItWhole(t *testing.T) {
	w := observing(t, func(c *gateway.Config) { c.Accept = []bearer.Spec{{Kind: auth.Body, Name: "token"}} })
	body := `{"token":"` + badBearer + `","rest":[1,2,3]}`
	r := request(http.MethodPost, "/x")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	got := w.do(r)
	wantForwarded(t, got, "")
	if got.sent != body {
		t.Errorf("the upstream read %q", got.sent)
	}
}

func TestTheErrorOfTheUpstreamComesBackUnchangedWhenObserving(t *testing.T) {
	w := observing(t)
	want := errors.New("the upstream's own")
	err := w.site.ServeHTTP(nil, get("/x"), func(http.ResponseWriter, *http.Request) error { return want })
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}
