package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// way is one of the ways to present a token of ann's.
type way struct {
	accept  bearer.Spec
	request func(token string) *http.Request
}

var ways = map[string]way{
	"bearer": {bearer.Spec{Kind: auth.Bearer}, func(token string) *http.Request {
		return get("/x", "Authorization: Bearer "+token)
	}},
	"query": {bearer.Spec{Kind: auth.Query, Name: "token"}, func(token string) *http.Request {
		return get("/x?token=" + url.QueryEscape(token))
	}},
	"body": {bearer.Spec{Kind: auth.Body, Name: "token"}, func(token string) *http.Request {
		return post("/x", `{"token":"`+token+`"}`)
	}},
	"key, user and token": {bearer.Spec{Kind: auth.KeyUserToken}, func(token string) *http.Request {
		return get("/x", "apikey: "+annKey, "userid: ann", "token: "+token)
	}},
	"key and entity token": {bearer.Spec{Kind: auth.KeyUserToken}, func(token string) *http.Request {
		return get("/x", "apikey: "+annKey, "entity-authentication-token: "+token)
	}},
}

// takes reports whether a token of a dialect counts in a way: all are alike,
// but for an entity token, which stands in for a user token beside a key and is
// nothing else.
func (y way) takes(dialect, name string) bool {
	return (dialect == "entity_token") == (name == "key and entity token")
}

// another returns a guard of the same process that answers no login.
func (w *world) another(cfg gateway.Config) *gateway.Site {
	site := w.newSite(cfg)
	site.Bind(w.rt)
	return site
}

// TestATokenIsTheSamePrincipalWhereverItIsAccepted, whichever dialect issued
// it and however it is presented, on a site that has none of the dialects.
func TestATokenIsTheSamePrincipalWhereverItIsAccepted(t *testing.T) {
	for _, name := range table.Names() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, everyLogin(t))
			token := w.logIn(name)
			tenant := map[string]string{"entity_token": "t-1", "crm_token": "t-1"}[name]
			for how, y := range ways {
				site := w.another(gateway.Config{Accept: []bearer.Spec{y.accept}})
				if !y.takes(name, how) {
					wantRefused(t, send(t, site, y.request(token)), http.StatusUnauthorized)
					continue
				}
				v, err := site.Identify(httptest.NewRecorder(), y.request(token))
				if err != nil {
					t.Errorf("%s: %v", how, err)
					continue
				}
				p := v.Principal
				if p.Subject != annID || p.Username != "ann" || p.Realm != realm || p.Dialect != name || p.TokenID == "" ||
					!p.HasRole("user") || p.Tenant != tenant || len(p.Tenants) != 1 || p.Credential != y.accept.Kind {
					t.Errorf("%s: %+v", how, p)
				}
				wantForwarded(t, send(t, site, y.request(token)), annID)
			}
		})
	}
}

// TestAcceptSaysWhichCredentialsCount and not which dialects a site has: a
// token in a place that is not accepted is nothing at all.
func TestAcceptSaysWhichCredentialsCount(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, name := range table.Names() {
		token := w.logIn(name)
		for accepted, a := range ways {
			cfg := everyLogin(t)
			cfg.Accept, cfg.Errors = []bearer.Spec{a.accept}, gateway.Problem
			site := w.another(cfg)
			for how, y := range ways {
				got := send(t, site, y.request(token))
				if y.takes(name, how) && y.accept.SameSource(a.accept) {
					wantForwarded(t, got, annID)
					continue
				}
				if wantRefused(t, got, http.StatusUnauthorized); t.Failed() {
					t.Fatalf("%s: %s where %s counts", name, how, accepted)
				}
			}
		}
	}
}

// TestATokenOfADialectIsNothingInAnotherRealm, although its account, tenant and
// key have namesakes there.
func TestATokenOfADialectIsNothingInAnotherRealm(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	const other = "elsewhere"
	must(t, w.store.Accounts.InsertAccount(w.ctx, store.Account{ID: annID, Realm: other, Username: "ann"}))
	must(t, w.store.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-1", Realm: other, Name: "Acme Ltd"}))
	must(t, w.store.Memberships.PutMembership(w.ctx, store.Membership{Realm: other, Account: annID, Tenant: "t-1"}))
	_, err := w.store.Keys.InsertKey(w.ctx, store.Key{Realm: other, Account: annID, Digest: auth.DigestOf(annKey)})
	must(t, err)
	for _, name := range table.Names() {
		token := w.logIn(name)
		for how, y := range ways {
			site := w.another(gateway.Config{Realm: other, Accept: []bearer.Spec{y.accept}})
			if wantRefused(t, send(t, site, y.request(token)), http.StatusUnauthorized); t.Failed() {
				t.Fatalf("%s by %s", name, how)
			}
		}
	}
}

// ownCalls are calls of a dialect's own that a token of its own opens, and how
// that shows. Introspection and revocation of oauth2 and the calls of
// entity_token are about tokens of all dialects.
var ownCalls = map[string]func(token string) *http.Request{
	"management":  func(token string) *http.Request { return get("/v1/auth/user", "Authorization: Bearer "+token) },
	"login_token": func(token string) *http.Request { return get("/feathers/login-token", "Authorization: Bearer "+token) },
}

// TestADialectsOwnCallsTakeOnlyItsOwnTokens.
func TestADialectsOwnCallsTakeOnlyItsOwnTokens(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, issuer := range table.Names() {
		token := w.logIn(issuer)
		for owner, call := range ownCalls {
			if !slices.Contains(table.Names(), owner) {
				continue
			}
			got := w.do(call(token))
			want := http.StatusUnauthorized
			if issuer == owner {
				want = http.StatusOK
			}
			if wantAnswered(t, got, want); t.Failed() {
				t.Fatalf("a token of %s at %s", issuer, owner)
			}
		}
	}
}

// TestAReleaseTakesOnlyTokensOfItsOwnDialect: those of others stay good.
func TestAReleaseTakesOnlyTokensOfItsOwnDialect(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, name := range table.Names() {
		token := w.logIn(name)
		w.crmRelease(token)
		w.do(request(http.MethodPost, "/v1/auth/logout", "Authorization: Bearer "+token))
		for how, y := range ways {
			if !y.takes(name, how) {
				continue
			}
			got := send(t, w.another(gateway.Config{Accept: []bearer.Spec{y.accept}}), y.request(token))
			if name == "crm_token" || name == "management" {
				wantRefused(t, got, http.StatusUnauthorized)
				continue
			}
			wantForwarded(t, got, annID)
		}
	}
}

// TestWhatIsNoAccessTokenOpensNothing, in whichever place it stands, and not
// as a key either.
func TestWhatIsNoAccessTokenOpensNothing(t *testing.T) {
	rows := map[string]func(*store.Session){
		"a refresh token":         func(s *store.Session) { s.Kind = store.RefreshToken },
		"a token used once":       func(s *store.Session) { s.Kind = store.OneTimeToken },
		"one that was used":       func(s *store.Session) { s.Retired = s.Issued },
		"an expired token":        func(s *store.Session) { s.Expires = s.Issued },
		"an expired entity token": func(s *store.Session) { s.Kind, s.Tenant, s.Expires = store.EntityToken, "t-1", s.Issued },
		"a token left unused":     func(s *store.Session) { s.Idle, s.Updated = time.Minute, s.Issued.Add(-2*time.Minute) },
	}
	for what, change := range rows {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, gateway.Config{})
			const text = "planted-of-another-kind"
			now := store.Precise(w.now())
			s := store.Session{
				ID: "of-another-kind", Realm: realm, Digest: auth.DigestOf(text), Dialect: "oauth2", Kind: store.AccessToken,
				Subject: annID, Issued: now, Updated: now, Expires: now.Add(time.Hour), Keep: now.Add(2 * time.Hour),
			}
			change(&s)
			must(t, w.store.Sessions.InsertSession(w.ctx, s))
			either := bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}
			wantRefused(t, send(t, w.another(gateway.Config{Accept: []bearer.Spec{either}}), get("/x", "Authorization: "+text)), http.StatusUnauthorized)
			for _, y := range ways {
				wantRefused(t, send(t, w.another(gateway.Config{Accept: []bearer.Spec{y.accept}}), y.request(text)), http.StatusUnauthorized)
			}
		})
	}
}

// TestABearerThatIsAKeyIsOneWhereASiteReadsIt so, and a key there: it says what
// it is, is told to the upstream as one, and is stripped as a bearer.
func TestABearerThatIsAKeyIsOneWhereASiteReadsIt(t *testing.T) {
	either := bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}
	w := newWorld(t, gateway.Config{Accept: []bearer.Spec{either, {Kind: auth.APIKey}}})
	for _, line := range []string{"Authorization: Bearer " + annKey, "Authorization: jwt " + annKey, "Authorization: " + annKey} {
		got := w.do(get("/x", line))
		wantForwarded(t, got, annID)
		if c := got.forwarded.Header.Get("X-Auth-Credential"); c != "api_key:1" || got.forwarded.Header["Authorization"] != nil {
			t.Errorf("%s: the upstream got %v", line, got.forwarded.Header)
		}
	}
	wantForwarded(t, w.do(get("/x", "Authorization: "+annBearer)), annID)
	wantForwarded(t, w.do(get("/x", "Authorization: "+annKey, withAnnKey)), annID)
	for _, lines := range [][]string{
		{"Authorization: " + badKey}, {"Authorization: Bearer " + annKey + ".a.b"}, {"Authorization: " + badKey, withAnnKey},
	} {
		wantRefused(t, w.do(get("/x", lines...)), http.StatusUnauthorized)
	}
	wantRefused(t, w.do(get("/x", "Authorization: "+annKey, withBobKey)), http.StatusBadRequest)
	strict := w.another(gateway.Config{Accept: []bearer.Spec{{Kind: auth.Bearer}}})
	wantRefused(t, send(t, strict, get("/x", "Authorization: Bearer "+annKey)), http.StatusUnauthorized)
	kept := w.another(gateway.Config{Accept: []bearer.Spec{either, {Kind: auth.APIKey}}, KeepCredentials: true})
	got := send(t, kept, get("/x", "Authorization: "+annKey))
	if wantForwarded(t, got, annID); got.forwarded.Header.Get("Authorization") != annKey {
		t.Errorf("the upstream got %v", got.forwarded.Header)
	}
}
