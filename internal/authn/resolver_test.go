package authn_test

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

const realm = "default"

// world is a store with one account (with a membership of one tenant), a key
// of it, and a token of it.
type world struct {
	store.Store
	t      testing.TB
	r      *authn.Resolver
	reads  *countingSessions
	clock  atomic.Int64 // nanoseconds added to the time of now
	token  string
	key    string
	keyID  int64
	ctx    context.Context
	tenant string
}

const (
	account   = "0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	sessionID = "5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01"
)

// countingSessions counts look-ups, and can hold them.
type countingSessions struct {
	store.Sessions
	count atomic.Int64
	held  atomic.Pointer[chan struct{}]
	in    chan struct{}
}

func (c *countingSessions) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	c.count.Add(1)
	row, err := c.Sessions.Session(ctx, realm, by)
	if hold := c.held.Load(); hold != nil {
		c.in <- struct{}{}
		<-*hold
	}
	return row, err
}

func newWorld(t testing.TB, change func(*authn.Config)) *world {
	t.Helper()
	w := &world{t: t, token: "ght_token", key: "api_key_of_sixteen_bytes", ctx: context.Background(), tenant: "t-1"}
	w.Store = memstore.New(w.now)
	w.reads = &countingSessions{Sessions: w.Sessions, in: make(chan struct{}, 100)}
	w.Sessions = w.reads
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: account, Realm: realm, Username: "ann", Roles: []string{"user"}}))
	must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: w.tenant, Realm: realm, Name: "Acme Ltd"}))
	must(t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: account, Tenant: w.tenant, Roles: []string{"buyer"}}))
	var err error
	w.keyID, err = w.Keys.InsertKey(w.ctx, store.Key{
		Realm: realm, Digest: auth.DigestOf(w.key), Account: account, Scopes: auth.Scope{"a"}, Permissions: auth.Read,
	})
	must(t, err)
	w.addSession(nil)
	cfg := authn.Config{Store: w.Store, Now: w.now}
	if change != nil {
		change(&cfg)
	}
	w.r = authn.New(cfg)
	w.r.Start()
	t.Cleanup(w.r.Close)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

func (w *world) addSession(change func(*store.Session)) {
	w.t.Helper()
	now := store.Precise(w.now())
	s := store.Session{
		ID: sessionID, Realm: realm, Digest: auth.DigestOf(w.token), Dialect: "management", Kind: store.AccessToken,
		Subject: account, Issued: now, Updated: now, Expires: now.Add(time.Hour), Keep: now.Add(2 * time.Hour),
	}
	if change != nil {
		change(&s)
	}
	must(w.t, w.Sessions.InsertSession(w.ctx, s))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) bearer() bearer.Credential {
	return bearer.Credential{Kind: auth.Bearer, Token: w.token}
}

func (w *world) apiKey() bearer.Credential { return w.apiKeyOf(w.key) }

func (w *world) apiKeyOf(key string) bearer.Credential {
	return bearer.Credential{Kind: auth.APIKey, Key: key}
}

// pass resolves and fails the test where that is refused.
func (w *world) pass(c bearer.Credential) *auth.Principal {
	w.t.Helper()
	v, err := w.r.Resolve(w.ctx, realm, c)
	must(w.t, err)
	return v.Principal
}

// refuse resolves and fails the test unless it ends in this code and reason.
func (w *world) refuse(c bearer.Credential, code auth.Code, reason auth.Reason) {
	w.t.Helper()
	_, err := w.r.Resolve(w.ctx, realm, c)
	e := auth.AsError(err)
	if e == nil || e.Code != code || e.Reason != reason {
		w.t.Fatalf("got %v, want %v: %v", err, code, reason)
	}
}

// settle waits until the feed vouches for the cache.
func (w *world) settle() {
	w.t.Helper()
	for range 1000 {
		w.pass(w.bearer())
		if w.r.Stats().Hits > 0 {
			return
		}
	}
	w.t.Fatal("nothing was ever answered from the cache")
}

func TestAVerdictIsLookedUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		for range 10 {
			p := w.pass(w.bearer())
			if p.Subject != account || p.Username != "ann" || p.TokenID != sessionID || p.Dialect != "management" {
				t.Fatalf("got %+v", p)
			}
		}
		if n := w.reads.count.Load(); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

func TestAChangeVoidsAVerdictBeforeItIsAcknowledged(t *testing.T) {
	changes := []struct {
		name       string
		credential func(*world) bearer.Credential
		change     func(*testing.T, *world)
		code       auth.Code
		reason     auth.Reason
	}{
		{"a session is revoked by id", (*world).bearer, func(t *testing.T, w *world) {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: sessionID})
			must(t, err)
		}, auth.InvalidCredential, auth.ReasonUnknown},
		{"all sessions of the subject are revoked", (*world).bearer, func(t *testing.T, w *world) {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: account})
			must(t, err)
		}, auth.InvalidCredential, auth.ReasonUnknown},
		{"the account is disabled", (*world).bearer, disable, auth.InvalidCredential, auth.ReasonDisabled},
		{"the account of a key is disabled", (*world).apiKey, disable, auth.InvalidCredential, auth.ReasonDisabled},
		{"the account is deleted", (*world).bearer, func(t *testing.T, w *world) {
			must(t, w.Accounts.DeleteAccount(w.ctx, realm, account))
		}, auth.InvalidCredential, auth.ReasonUnknown},
		{"the key is revoked", (*world).apiKey, func(t *testing.T, w *world) {
			k, err := w.Keys.Key(w.ctx, realm, w.keyID)
			must(t, err)
			k.Revoked = store.Precise(w.now())
			must(t, w.Keys.UpdateKey(w.ctx, k))
		}, auth.InvalidCredential, auth.ReasonRevoked},
		{"the session is made to expire at once", (*world).bearer, func(t *testing.T, w *world) {
			s, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: sessionID})
			must(t, err)
			s.Expires = store.Precise(w.now())
			must(t, w.Sessions.ExchangeSession(w.ctx, s))
		}, auth.InvalidCredential, auth.ReasonExpired},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				synctest.Wait()
				w.pass(c.credential(w))
				hits := w.r.Stats().Hits
				w.pass(c.credential(w))
				if w.r.Stats().Hits != hits+1 {
					t.Fatal("the verdict was not cached: the test would prove nothing")
				}
				c.change(t, w)
				w.refuse(c.credential(w), c.code, c.reason)
			})
		})
	}
}

func disable(t *testing.T, w *world) {
	a, err := w.Accounts.Account(w.ctx, realm, account)
	must(t, err)
	a.Disabled = true
	must(t, w.Accounts.UpdateAccount(w.ctx, a))
}

func TestARoleChangeShowsInTheNextVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		w.settle()
		a, err := w.Accounts.Account(w.ctx, realm, account)
		must(t, err)
		a.Roles = []string{"admin"}
		must(t, w.Accounts.UpdateAccount(w.ctx, a))
		if p := w.pass(w.bearer()); !p.HasRole("admin") || p.HasRole("user") {
			t.Errorf("roles are %q", p.Roles)
		}
	})
}

// hold begins a lookup of the token and stops it after it has read the row.
// The returned function lets it go and waits for its answer.
func (w *world) hold() (release func() error) {
	gate := make(chan struct{})
	w.reads.held.Store(&gate)
	answer := make(chan error, 1)
	go func() {
		_, err := w.r.Resolve(w.ctx, realm, w.bearer())
		answer <- err
	}()
	<-w.reads.in
	w.reads.held.Store(nil)
	return func() error { close(gate); return <-answer }
}

func TestAFillThatRacedWithARevokeLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		release := w.hold()
		_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: sessionID})
		must(t, err)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
		if err := release(); err != nil && auth.CodeOf(err) != auth.InvalidCredential {
			t.Fatal(err)
		}
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestCallersAfterTheEndOfATokenDoNotPassWithALookupFromBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		release := w.hold()
		w.clock.Add(int64(time.Hour))
		late := make(chan error, 1)
		go func() {
			_, err := w.r.Resolve(w.ctx, realm, w.bearer())
			late <- err
		}()
		synctest.Wait() // it has joined
		if err := release(); err != nil {
			t.Errorf("who asked in time is refused: %v", err)
		}
		if e := auth.AsError(<-late); e == nil || e.Reason != auth.ReasonExpired {
			t.Errorf("who asked after the end: %v", e)
		}
	})
}

func TestCallersAfterAChangeDoNotJoinALookupFromBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		release := w.hold()
		disable(t, w)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonDisabled)
		_ = release()
	})
}

func TestOneLookupServesAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		release := w.hold()
		var others sync.WaitGroup
		for range 15 {
			others.Go(func() { w.pass(w.bearer()) })
		}
		synctest.Wait()
		must(t, release())
		others.Wait()
		if n := w.reads.count.Load(); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

func TestACallerThatLeavesDoesNotEndTheLookupForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		gate := make(chan struct{})
		w.reads.held.Store(&gate)
		ctx, leave := context.WithCancel(w.ctx)
		first := make(chan error, 1)
		go func() {
			_, err := w.r.Resolve(ctx, realm, w.bearer())
			first <- err
		}()
		<-w.reads.in
		w.reads.held.Store(nil)
		second := make(chan error, 1)
		go func() {
			_, err := w.r.Resolve(w.ctx, realm, w.bearer())
			second <- err
		}()
		synctest.Wait()
		leave()
		if err := <-first; auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("who left was told %v", err)
		}
		close(gate)
		must(t, <-second)
	})
}

func TestATokenIsRefusedAtTheInstantItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		w.settle()
		w.clock.Store(int64(time.Hour - time.Millisecond))
		w.pass(w.bearer())
		w.clock.Store(int64(time.Hour))
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonExpired)
		w.clock.Store(int64(2 * time.Hour))
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

// brokenFeed is a change feed that can fall silent.
type brokenFeed struct {
	store.Changes
	broken atomic.Bool
}

func (b *brokenFeed) Since(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if b.broken.Load() {
		return nil, errors.New("feed broken")
	}
	return b.Changes.Since(ctx, after, limit)
}

// TestASilentFeedEndsTheTrustInTheCache shows it by the change of another
// process: one that no subscriber here was told of.
func TestASilentFeedEndsTheTrustInTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &brokenFeed{}
		w := newWorld(t, func(c *authn.Config) {
			feed.Changes = c.Store.Changes
			c.Store.Changes = feed
		})
		synctest.Wait()
		w.settle()
		asked := w.reads.count.Load()
		feed.broken.Store(true)
		pass(authn.DefaultMaxStaleness + 2*time.Second)
		w.pass(w.bearer())
		if w.reads.count.Load() == asked {
			t.Error("a verdict was answered from the cache although the feed is silent")
		}
		feed.broken.Store(false)
		pass(2 * time.Second)
		hits := w.r.Stats().Hits
		w.pass(w.bearer())
		w.pass(w.bearer())
		if w.r.Stats().Hits == hits {
			t.Error("the cache was not trusted again")
		}
	})
}

func TestATokenOfOneRealmIsNothingInAnother(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.r.Resolve(w.ctx, "other", w.bearer())
	if auth.CodeOf(err) != auth.InvalidCredential {
		t.Errorf("got %v", err)
	}
}

func TestATokenBoundToATenantHasItsRolesThere(t *testing.T) {
	w := newWorld(t, nil)
	w.token = "ght_bound"
	w.addSession(func(s *store.Session) { s.ID, s.Tenant = "bound", w.tenant })
	p := w.pass(w.bearer())
	if !p.HasRole("buyer") || p.TenantName != "Acme Ltd" || len(p.Tenants) != 1 {
		t.Errorf("got %+v", p)
	}
	must(t, w.Memberships.DeleteMembership(w.ctx, realm, account, w.tenant))
	w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	// A login that was under way may add a row behind it.
	w.addSession(func(s *store.Session) { s.ID, s.Tenant = "late", w.tenant })
	w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonTenant)
}

func TestATokenOfNoTenantHasNoRolesOfAny(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pass(w.bearer())
	if p.HasRole("buyer") || p.Tenant != "" || len(p.Tenants) != 1 {
		t.Errorf("got %+v", p)
	}
}

func TestATokenDiesWithTheKeyThatObtainedIt(t *testing.T) {
	w := newWorld(t, nil)
	w.token = "ght_by_key"
	w.addSession(func(s *store.Session) { s.ID, s.KeyID = "by-key", w.keyID })
	if p := w.pass(w.bearer()); p.Permissions != auth.Read || p.KeyID != w.keyID {
		t.Errorf("got %+v", p)
	}
	k, err := w.Keys.Key(w.ctx, realm, w.keyID)
	must(t, err)
	k.Revoked = store.Precise(w.now())
	must(t, w.Keys.UpdateKey(w.ctx, k))
	w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonRevoked)
}

func TestSessionsThatAreNoAccessTokensAreRefused(t *testing.T) {
	for name, change := range map[string]func(*store.Session){
		"a refresh token":                    func(s *store.Session) { s.Kind = store.RefreshToken },
		"a token that is used once":          func(s *store.Session) { s.Kind = store.OneTimeToken },
		"a token that was exchanged":         func(s *store.Session) { s.Retired = s.Issued },
		"a token of a user and an entity":    func(s *store.Session) { s.Kind = store.EntityToken },
		"a token of an account that is gone": func(s *store.Session) { s.Subject = "5c0e0000-0000-4000-8000-000000000000" },
		"a subject that is another's name":   func(s *store.Session) { s.Subject = "ann" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.token = "ght_other"
			w.addSession(func(s *store.Session) { s.ID = "other"; change(s) })
			w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
		})
	}
}

func TestTheThreePartsOfATripleMustAgree(t *testing.T) {
	w := newWorld(t, nil)
	const other = "9c9e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a22"
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: other, Realm: realm, Username: "bob"}))
	must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "elsewhere", Realm: realm, Name: "Elsewhere"}))
	keys := map[string]string{"ann": w.key}
	for name, k := range map[string]store.Key{
		"bob":     {Account: other},
		"tenant":  {Tenant: w.tenant},
		"foreign": {Tenant: "elsewhere"},
		"gateway": {Gateway: true},
	} {
		keys[name] = "key of " + name
		k.Realm, k.Digest = realm, auth.DigestOf(keys[name])
		_, err := w.Keys.InsertKey(w.ctx, k)
		must(t, err)
	}
	for _, c := range []struct {
		name, key, user string
		ok              bool
	}{
		{"all three are the account's", "ann", account, true},
		{"the user is named by username, in any case", "ann", "ANN", true},
		{"the key is of a tenant of the account", "tenant", "ann", true},
		{"the key is of the whole gateway", "gateway", "ann", true},
		{"the key is another account's", "bob", account, false},
		{"the key is of a tenant the account is not in", "foreign", account, false},
		{"the user is another", "ann", "bob", false},
		{"the user is nobody", "ann", "carol", false},
		{"the user is empty", "ann", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.r.Resolve(w.ctx, realm, bearer.Credential{
				Kind: auth.KeyUserToken, Key: keys[c.key], User: c.user, Token: w.token,
			})
			if ok := err == nil; ok != c.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && auth.CodeOf(err) != auth.InvalidCredential {
				t.Errorf("got %v", err)
			}
		})
	}
}

// eitherOf is a Bearer that may be a token or a key.
func eitherOf(text string) bearer.Credential {
	return bearer.Credential{Kind: auth.Bearer, Token: text, Key: text}
}

func TestABearerThatMayBeAKeyIsATokenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		for range 2 { // looked up, and cached
			if p := w.pass(eitherOf(w.token)); p.Credential != auth.Bearer || p.TokenID != sessionID || p.KeyID != 0 {
				t.Errorf("a token is %+v", p)
			}
			p := w.pass(eitherOf(w.key))
			if p.Credential != auth.APIKey || p.TokenID != "" || p.KeyID != w.keyID || p.Permissions != auth.Read || p.Subject != account {
				t.Errorf("a key is %+v", p)
			}
		}
		if n := w.r.Stats().Hits; n != 2 {
			t.Errorf("%d were answered from the cache", n)
		}
		w.refuse(eitherOf("neither"), auth.InvalidCredential, auth.ReasonUnknown)
		w.refuse(bearer.Credential{Kind: auth.Bearer, Token: w.key}, auth.InvalidCredential, auth.ReasonUnknown)
		w.refuse(bearer.Credential{Kind: auth.Query, Token: w.key, Key: w.key}, auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestABearerThatIsAKeyDiesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		w.pass(eitherOf(w.key))
		k, err := w.Keys.Key(w.ctx, realm, w.keyID)
		must(t, err)
		k.Revoked = store.Precise(w.now())
		must(t, w.Keys.UpdateKey(w.ctx, k))
		w.refuse(eitherOf(w.key), auth.InvalidCredential, auth.ReasonRevoked)
	})
}

// TestABadTokenIsNoKey although its text is one: what is refused as a token
// does not get another try.
func TestABadTokenIsNoKey(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*store.Session)
		reason auth.Reason
	}{
		"an expired one":  {func(s *store.Session) { s.Expires = s.Issued }, auth.ReasonExpired},
		"a refresh token": {func(s *store.Session) { s.Kind = store.RefreshToken }, auth.ReasonUnknown},
		"a retired one":   {func(s *store.Session) { s.Retired = s.Issued }, auth.ReasonUnknown},
		"one of nobody":   {func(s *store.Session) { s.Subject = "5c0e0000-0000-4000-8000-000000000000" }, auth.ReasonUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.token = w.key
			w.addSession(func(s *store.Session) { s.ID = "also-a-key"; c.change(s) })
			w.refuse(eitherOf(w.key), auth.InvalidCredential, c.reason)
			if p := w.pass(w.apiKey()); p.Credential != auth.APIKey {
				t.Errorf("the key itself is %+v", p)
			}
		})
	}
}

// TestATokenThatCannotBeLookedUpIsNoKey: it may be a good token.
func TestATokenThatCannotBeLookedUpIsNoKey(t *testing.T) {
	w := newWorld(t, func(c *authn.Config) { c.Store.Sessions = unreachable{c.Store.Sessions} })
	w.refuse(eitherOf(w.key), auth.Unavailable, auth.ReasonStore)
}

// unreachable is a store of sessions that cannot be asked.
type unreachable struct{ store.Sessions }

func (unreachable) Session(context.Context, string, store.SessionRef) (store.Session, error) {
	return store.Session{}, auth.Fail(auth.Unavailable, auth.ReasonStore, nil)
}

// entityWorld has ann and bob in two tenants, with an entity token of ann for
// the first, and a user token and a key of each kind.
func entityWorld(t *testing.T) *world {
	w := newWorld(t, nil)
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: bob, Realm: realm, Username: "bob"}))
	must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "elsewhere", Realm: realm, Name: "Elsewhere"}))
	for _, m := range []store.Membership{{Account: account, Tenant: "elsewhere"}, {Account: bob, Tenant: w.tenant}} {
		m.Realm = realm
		must(t, w.Memberships.PutMembership(w.ctx, m))
	}
	for name, k := range map[string]store.Key{
		"bob": {Account: bob}, "tenant": {Tenant: w.tenant}, "foreign": {Tenant: "elsewhere"}, "gateway": {Gateway: true},
		"ann there": {Account: account, Tenant: "elsewhere"}, "revoked": {Gateway: true, Revoked: store.Precise(w.now())},
	} {
		k.Realm, k.Digest = realm, auth.DigestOf("key of "+name)
		_, err := w.Keys.InsertKey(w.ctx, k)
		must(t, err)
	}
	for text, change := range map[string]func(*store.Session){
		"entity": func(s *store.Session) { s.Kind, s.Tenant, s.Unit = store.EntityToken, w.tenant, "" },
		"expired entity": func(s *store.Session) {
			s.Kind, s.Tenant, s.Expires = store.EntityToken, w.tenant, s.Issued
		},
		"user":        func(*store.Session) {},
		"expired":     func(s *store.Session) { s.Expires = s.Issued },
		"bob":         func(s *store.Session) { s.Subject = bob },
		"bob expired": func(s *store.Session) { s.Subject, s.Expires = bob, s.Issued },
	} {
		w.token = "ght " + text
		w.addSession(func(s *store.Session) { s.ID = text; change(s) })
	}
	return w
}

const bob = "9c9e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a22"

func TestAnEntityTokenStandsInForUserAndToken(t *testing.T) {
	const yes, no = auth.Reason("passes"), auth.ReasonMismatch
	for _, c := range []struct {
		name, key, user, token, entity string
		want                           auth.Reason
	}{
		{"alone, beside a key of its tenant", "tenant", "", "", "entity", yes},
		{"beside a key of the gateway", "gateway", "", "", "entity", yes},
		{"beside a key of another tenant", "foreign", "", "", "entity", auth.ReasonTenant},
		{"beside a key of its account in another tenant", "ann there", "", "", "entity", auth.ReasonTenant},
		{"beside a key of another account", "bob", "", "", "entity", no},
		{"beside a key that is revoked", "revoked", "", "", "entity", auth.ReasonRevoked},
		{"beside a key that is none", "nobody", "", "", "entity", auth.ReasonUnknown},
		{"with all that the public client has", "tenant", "ann", "user", "entity", yes},
		{"with a user token that has expired", "tenant", "ann", "expired", "entity", yes},
		{"with a user token that nobody knows", "tenant", "ann", "forgotten", "entity", yes},
		{"with the account in another spelling", "tenant", "ANN", "", "entity", yes},
		{"with the account's id", "tenant", account, "", "entity", yes},
		{"with a user token alone", "tenant", "", "user", "entity", yes},
		{"with another user", "tenant", "bob", "", "entity", no},
		{"with another user and their token", "tenant", "bob", "bob", "entity", no},
		{"with nobody's name", "tenant", "carol", "user", "entity", auth.ReasonUnknown},
		{"with another user's token", "tenant", "ann", "bob", "entity", no},
		{"with another user's token that has expired", "tenant", "", "bob expired", "entity", no},
		{"it has expired, and user and token are good", "tenant", "ann", "user", "expired entity", auth.ReasonExpired},
		{"it is none, and user and token are good", "tenant", "ann", "user", "nothing", auth.ReasonUnknown},
		{"it is a user token", "tenant", "ann", "user", "user", auth.ReasonUnknown},
		{"an entity token in place of the user token", "tenant", "ann", "entity", "", auth.ReasonUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := entityWorld(t)
			credential := bearer.Credential{Kind: auth.KeyUserToken, Key: "key of " + c.key, User: c.user}
			if c.token != "" {
				credential.Token = "ght " + c.token
			}
			if c.entity != "" {
				credential.Entity = "ght " + c.entity
			}
			if c.want != yes {
				w.refuse(credential, auth.InvalidCredential, c.want)
				return
			}
			p := w.pass(credential)
			if p.Subject != account || p.Tenant != w.tenant || len(p.Tenants) != 1 || p.TokenID != "entity" || p.KeyID == 0 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestAKeyOfATenantKeepsATripleToIt: the user token is good in two tenants, the
// key in one of them.
func TestAKeyOfATenantKeepsATripleToIt(t *testing.T) {
	w := entityWorld(t)
	must(t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: account, Tenant: "elsewhere", Roles: []string{"chief"}}))
	w.addSession(func(s *store.Session) {
		s.ID, s.Digest, s.Tenant, s.Unit = "anywhere", auth.DigestOf("ght anywhere"), "", ""
	})
	for key, tenant := range map[string]string{"tenant": w.tenant, "foreign": "elsewhere", "ann there": "elsewhere", "gateway": ""} {
		p := w.pass(bearer.Credential{Kind: auth.KeyUserToken, Key: "key of " + key, User: "ann", Token: "ght anywhere"})
		if p.Tenant != tenant || tenant != "" && (len(p.Tenants) != 1 || p.Tenants[0].ID != tenant || p.TenantName == "") {
			t.Errorf("beside the key of %s: %+v", key, p)
		}
		if p.HasRole("chief") != (tenant == "elsewhere") {
			t.Errorf("beside the key of %s: roles %q", key, p.Roles)
		}
	}
}

func TestAnEntityTokenDiesWithTheMembership(t *testing.T) {
	w := entityWorld(t)
	c := bearer.Credential{Kind: auth.KeyUserToken, Key: "key of gateway", Entity: "ght entity"}
	w.pass(c)
	must(t, w.Memberships.DeleteMembership(w.ctx, realm, account, w.tenant))
	w.refuse(c, auth.InvalidCredential, auth.ReasonUnknown)
}

// TestAUserTokenThatCannotBeLookedUpIsNobodysFault: beside a good entity token
// it may be another account's.
func TestAUserTokenThatCannotBeLookedUpIsNobodysFault(t *testing.T) {
	w := entityWorld(t)
	rows := w.Store
	rows.Sessions = unreachableBut{rows.Sessions, auth.DigestOf("ght entity")}
	w.r = authn.New(authn.Config{Store: rows, Now: w.now})
	c := bearer.Credential{Kind: auth.KeyUserToken, Key: "key of tenant", Entity: "ght entity"}
	w.pass(c)
	c.Token = "ght user"
	w.refuse(c, auth.Unavailable, auth.ReasonStore)
}

// unreachableBut is a store of sessions that can be asked for one only.
type unreachableBut struct {
	store.Sessions
	one auth.Digest
}

func (u unreachableBut) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	if by.Digest == u.one {
		return u.Sessions.Session(ctx, realm, by)
	}
	return unreachable{}.Session(ctx, realm, by)
}

func TestAnAllowListIsHeldAgainstEveryRequest(t *testing.T) {
	w := newWorld(t, nil)
	a, err := w.Accounts.Account(w.ctx, realm, account)
	must(t, err)
	a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	must(t, w.Accounts.UpdateAccount(w.ctx, a))
	v, err := w.r.Resolve(w.ctx, realm, w.bearer())
	must(t, err)
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "::1": false} {
		if got := v.Admits(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: admitted %v", text, got)
		}
	}
	if v.Admits(netip.Addr{}) {
		t.Error("an unknown address was admitted")
	}
}

func TestAFullCacheDropsTheOldestAndStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *authn.Config) { c.CacheSize = 128 })
		synctest.Wait()
		for i := range 2000 {
			w.token = "token " + strconv.Itoa(i)
			w.addSession(func(s *store.Session) { s.ID = "s" + strconv.Itoa(i) })
			w.pass(w.bearer())
		}
		if n := w.r.Stats().Entries; n > 128 || n < 64 {
			t.Errorf("%d verdicts are held", n)
		}
	})
}

func TestTheSweepDropsWhatNoLongerHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		synctest.Wait()
		w.settle()
		if n := w.r.Stats().Entries; n != 1 {
			t.Fatalf("%d verdicts are held", n)
		}
		w.clock.Store(int64(time.Hour))
		pass(2 * time.Second)
		if n := w.r.Stats().Entries; n != 0 {
			t.Errorf("%d verdicts are held after they expired", n)
		}
	})
}

// panicking is a store with a fault of ours in it.
type panicking struct{ store.Sessions }

func (panicking) Session(context.Context, string, store.SessionRef) (store.Session, error) {
	panic("a corrupt row")
}

func TestAPanicInALookupIsAnErrorOfOursAndEndsNothing(t *testing.T) {
	w := newWorld(t, func(c *authn.Config) { c.Store.Sessions = panicking{} })
	_, err := w.r.Resolve(w.ctx, realm, w.bearer())
	if err == nil || auth.CodeOf(err) != auth.Internal {
		t.Errorf("got %v", err)
	}
}

// pass lets the clock of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// TestACredentialThatWasRefusedIsGoodFromItsCreationOn: that it was asked for
// before it existed is remembered nowhere.
func TestACredentialThatWasRefusedIsGoodFromItsCreationOn(t *testing.T) {
	w := newWorld(t, nil)
	const text = "a key that comes later 0123456789"
	c := bearer.Credential{Kind: auth.APIKey, Key: text}
	for range 3 {
		w.refuse(c, auth.InvalidCredential, auth.ReasonUnknown)
	}
	_, err := w.Keys.InsertKey(w.ctx, store.Key{Realm: realm, Digest: auth.DigestOf(text), Account: account, Permissions: auth.Read})
	must(t, err)
	w.pass(c)
}
