package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestSeveralCredentialsAreSettledInOneWay on a site without a dialect, where
// nothing yields, and on one with management, where a bad bearer yields to a
// good key.
func TestSeveralCredentialsAreSettledInOneWay(t *testing.T) {
	for _, c := range []struct {
		name       string
		lines      []string
		alone      int // status without a dialect, 200 for forwarded
		management int
		reason     auth.Reason
	}{
		{"none", nil, 401, 401, "no_credential"},
		{"a good token", []string{asAnn}, 200, 200, ""},
		{"a good key", []string{withAnnKey}, 200, 200, ""},
		{"a bad token", []string{asNobody}, 401, 401, auth.ReasonUnknown},
		{"a bad key", []string{withBadKey}, 401, 401, auth.ReasonUnknown},
		{"a good token and a good key of one caller", []string{asAnn, withAnnKey}, 200, 200, ""},
		{"a good token and a good key of two callers", []string{asAnn, withBobKey}, 400, 400, auth.ReasonAmbiguous},
		{"the same the other way round", []string{withAnnKey, asBob}, 400, 400, auth.ReasonAmbiguous},
		{"a bad token and a good key", []string{asNobody, withAnnKey}, 401, 200, auth.ReasonUnknown},
		{"a token of no form and a good key", []string{formlessKey, withAnnKey}, 401, 200, auth.ReasonForm},
		{"a good token and a bad key", []string{asAnn, withBadKey}, 401, 401, auth.ReasonUnknown},
		{"a bad token and a bad key", []string{asNobody, withBadKey}, 401, 401, auth.ReasonUnknown},
		{"two good tokens", []string{asAnn, asAnn}, 400, 400, auth.ReasonDuplicate},
		{"a good and a bad token", []string{asAnn, asNobody}, 400, 400, auth.ReasonDuplicate},
		{"a bad and a good token", []string{asNobody, asAnn}, 400, 400, auth.ReasonDuplicate},
		{"two tokens and a good key", []string{asNobody, asAnn, withAnnKey}, 400, 400, auth.ReasonDuplicate},
		{"a token and another scheme", []string{asAnn, "Authorization: Digest x"}, 400, 400, auth.ReasonDuplicate},
		{"two keys", []string{withAnnKey, withAnnKey}, 400, 400, auth.ReasonDuplicate},
		{"a scheme that does not count", []string{"Authorization: Digest x"}, 401, 401, "no_credential"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Errors: gateway.Problem})
			wantSettled(t, w, c.lines, c.alone, c.reason)
			w = newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management")}, Errors: gateway.Problem})
			wantSettled(t, w, c.lines, c.management, c.reason)
		})
	}
}

func wantSettled(t *testing.T, w *world, lines []string, status int, reason auth.Reason) {
	t.Helper()
	got := w.do(get("/x", lines...))
	if status == http.StatusOK {
		wantForwarded(t, got, annID)
		return
	}
	wantRefused(t, got, status)
	w.wantReason(gateway.Refused, reason)
}

// mixed accepts three credentials that stand in different places, with one
// pair of them that yields (a bad bearer to a good api_key).
func mixed(t *testing.T) gateway.Config {
	return gateway.Config{
		Logins: []gateway.Login{login(t, "management")}, Errors: gateway.Problem,
		Accept: []bearer.Spec{{Kind: auth.Query, Name: "token"}, {Kind: auth.Bearer}, {Kind: auth.APIKey}},
	}
}

// TestABadCredentialYieldsToAGoodOneOfItsPairOnly whatever else is presented.
func TestABadCredentialYieldsToAGoodOneOfItsPairOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		reason auth.Reason
	}{
		{"a good query, a bad bearer, a good key of one caller", get("/x?token="+annBearer, asNobody, withAnnKey), 200, ""},
		{"the same of two callers", get("/x?token="+bobBearer, asNobody, withAnnKey), 400, auth.ReasonAmbiguous},
		{"a bad query, a bad bearer, a good key", get("/x?token="+badBearer, asNobody, withAnnKey), 401, auth.ReasonUnknown},
		{"a bad query, a good bearer, a good key", get("/x?token="+badBearer, asAnn, withAnnKey), 401, auth.ReasonUnknown},
		{"a good query and a bad bearer", get("/x?token="+annBearer, asNobody), 401, auth.ReasonUnknown},
		{"a good query, a bad bearer and a bad key", get("/x?token="+annBearer, asNobody, withBadKey), 401, auth.ReasonUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, mixed(t))
			got := w.do(c.r)
			if c.status == http.StatusOK {
				wantForwarded(t, got, annID)
				return
			}
			wantRefused(t, got, c.status)
			w.wantReason(gateway.Refused, c.reason)
		})
	}
}

// TestTheFirstOfTheChainCounts: the order of accept, not that of the request.
func TestTheFirstOfTheChainCounts(t *testing.T) {
	for name, c := range map[string]struct {
		accept []bearer.Spec
		want   string
	}{
		"bearer first":  {[]bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}, "bearer:" + annToken},
		"api_key first": {[]bearer.Spec{{Kind: auth.APIKey}, {Kind: auth.Bearer}}, "api_key:1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Accept: c.accept})
			got := w.do(get("/x", withAnnKey, asAnn))
			wantForwarded(t, got, annID)
			if v := got.forwarded.Header.Get("X-Auth-Credential"); v != c.want {
				t.Errorf("%s counted, want %s", v, c.want)
			}
		})
	}
}

func TestACredentialThatTheSiteDoesNotAcceptIsNone(t *testing.T) {
	w := newWorld(t, gateway.Config{Accept: []bearer.Spec{{Kind: auth.Bearer}}})
	wantRefused(t, w.do(get("/x", withAnnKey)), http.StatusUnauthorized)
	w.wantReason(gateway.Refused, "no_credential")
	wantRefused(t, w.do(get("/x?access_token="+annBearer)), http.StatusUnauthorized)
}

// TestAFaultOfOursIsNeverThoughtTheCallers: while the store is out of reach
// nothing can be told to be bad, and a bad one beside it hides nothing.
func TestAFaultOfOursIsNeverThoughtTheCallers(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"a good token", []string{asAnn}},
		{"a bad token", []string{asNobody}},
		{"a good token and a good key", []string{asAnn, withAnnKey}},
		{"a bad key and a token that cannot be looked up", []string{withBadKey, asAnn}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, accept := range [][]bearer.Spec{{{Kind: auth.Bearer}, {Kind: auth.APIKey}}, {{Kind: auth.APIKey}, {Kind: auth.Bearer}}} {
				w := newWorld(t, gateway.Config{Accept: accept})
				w.rows.fault = down
				got := w.do(get("/x", c.lines...))
				wantRefused(t, got, http.StatusServiceUnavailable)
				if got.Header.Get("Retry-After") == "" || got.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("the answer has %v", got.Header)
				}
				w.wantReason(gateway.Refused, auth.ReasonStore)
			}
		})
	}
}

// faultyKeys cannot be asked for keys.
type faultyKeys struct{ store.Keys }

func (faultyKeys) KeyByDigest(ctx context.Context, _ string, _ auth.Digest) (store.Key, error) {
	return store.Key{}, down(ctx)
}

// TestABadTokenDoesNotHideAKeyThatCouldNotBeLookedUp: with the store at hand
// the token would have yielded to the key.
func TestABadTokenDoesNotHideAKeyThatCouldNotBeLookedUp(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management")}, Errors: gateway.Problem})
	wantForwarded(t, w.do(get("/x", asNobody, withAnnKey)), annID)
	w = newWorldOn(t, w, func(s *store.Store) { s.Keys = faultyKeys{s.Keys} })
	wantRefused(t, w.do(get("/x", asNobody, withAnnKey)), http.StatusServiceUnavailable)
	w.wantReason(gateway.Refused, auth.ReasonStore)
}

// newWorldOn returns a world on the rows of another, through a store that
// change has put something before.
func newWorldOn(t testing.TB, on *world, change func(*store.Store)) *world {
	t.Helper()
	rows := on.store
	rows.Close = func() error { return nil }
	change(&rows)
	w := &world{t: t, ctx: on.ctx, store: rows, rows: on.rows}
	w.rt = gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Now: w.now})
	t.Cleanup(func() { must(t, w.rt.Close()) })
	w.site = w.newSite(gateway.Config{Logins: []gateway.Login{login(t, "management")}, Errors: gateway.Problem})
	w.site.Bind(w.rt)
	return w
}

func TestACredentialInTheQueryNeedsTLSOrLeave(t *testing.T) {
	accept := []bearer.Spec{{Kind: auth.Query, Name: "token"}, {Kind: auth.Bearer}}
	cleartext := func(r *http.Request) *http.Request { r.TLS = nil; return r }
	w := newWorld(t, gateway.Config{Accept: accept})
	wantForwarded(t, w.do(get("/x?token="+annBearer)), annID)
	w.wantCounted("passed")
	wantForwarded(t, w.do(cleartext(get("/x", asAnn))), annID)
	w.wantCounted("passed")
	for _, r := range []*http.Request{
		get("/x?token=" + annBearer), get("/x?token=" + badBearer), get("/x?token="+annBearer, asAnn),
	} {
		got := w.do(cleartext(r))
		wantRefused(t, got, http.StatusBadRequest)
		w.wantReason(gateway.Refused, auth.ReasonCleartext)
	}
	w = newWorld(t, gateway.Config{Accept: accept, InsecureHTTP: true})
	wantForwarded(t, w.do(cleartext(get("/x?token="+annBearer))), annID)
}

func TestTheAllowListOfTheCallerIsHeldAgainstEveryRequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed string
		line    string
		ok      bool
	}{
		{"the address is on the account's list", "192.0.2.0/24", asAnn, true},
		{"the address is not on the account's list", "10.0.0.0/8", asAnn, false},
		{"a key of the account is bound too", "10.0.0.0/8", withAnnKey, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{})
			w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix(c.allowed)} })
			for range 2 { // looked up, and cached
				got := w.do(get("/x", c.line))
				if c.ok {
					wantForwarded(t, got, annID)
					continue
				}
				wantRefused(t, got, http.StatusUnauthorized)
				w.wantReason(gateway.Refused, auth.ReasonAddress)
			}
		})
	}
}

func TestAnAddressThatIsNotKnownIsOnNoList(t *testing.T) {
	w := newWorld(t, gateway.Config{Hooks: gateway.Hooks{Address: func(*http.Request) netip.Addr { return netip.Addr{} }}})
	w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} })
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusUnauthorized)
	w.wantReason(gateway.Refused, auth.ReasonAddress)
}

func TestATokenIsRefusedFromTheRequestAfterItsRevocation(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	for range 3 {
		wantForwarded(t, w.do(get("/x", asAnn)), annID)
	}
	w.revoke(annToken)
	got := w.do(get("/x", asAnn))
	wantRefused(t, got, http.StatusUnauthorized)
	if c := got.Header.Get("WWW-Authenticate"); !strings.Contains(c, `error="invalid_token"`) {
		t.Errorf("the challenge is %q", c)
	}
}

// TestNobodyPassesAfterARevocationUnderLoad: a request that began after the
// revocation returned is refused, whatever lookups were under way.
func TestNobodyPassesAfterARevocationUnderLoad(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	var revoked, stop atomic.Bool
	var passed atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for !stop.Load() {
				before := revoked.Load()
				got := send(t, w.site, get("/x", asAnn))
				if got.forwarded == nil {
					continue
				}
				passed.Add(1)
				if before {
					t.Error("a revoked token passed")
					return
				}
			}
		})
	}
	for passed.Load() < 100 {
		runtime.Gosched()
	}
	w.revoke(annToken)
	revoked.Store(true)
	for range 200 {
		wantRefused(t, w.do(get("/x", asAnn)), http.StatusUnauthorized)
	}
	stop.Store(true)
	load.Wait()
}

func TestATokenOfAnotherRealmIsABadOne(t *testing.T) {
	w := newWorld(t, gateway.Config{Realm: "elsewhere"})
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusUnauthorized)
	w.wantReason(gateway.Refused, auth.ReasonUnknown)
}

// TestIdentifyIsTheGuardsJudgementAndChangesNothing, for those who compose it
// with a server's own authentication.
func TestIdentifyIsTheGuardsJudgementAndChangesNothing(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	r := get("/x", asAnn, "X-Auth-Subject: "+bobID)
	before := wire(t, r)
	v, err := w.site.Identify(httptest.NewRecorder(), r)
	must(t, err)
	if v.Principal.Subject != annID || wire(t, r) != before {
		t.Errorf("got %+v; the request became\n%s", v.Principal, wire(t, r))
	}
	for line, code := range map[string]auth.Code{asNobody: auth.InvalidCredential, "Accept: x": auth.NoCredential} {
		if v, err := w.site.Identify(httptest.NewRecorder(), get("/x", line)); v != nil || auth.CodeOf(err) != code {
			t.Errorf("%s: got %v, %v", line, v, err)
		}
	}
	if v, err := w.newSite(gateway.Config{}).Identify(httptest.NewRecorder(), get("/x", asAnn)); v != nil || auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("before Bind: got %v, %v", v, err)
	}
}
