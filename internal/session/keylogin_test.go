package session_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const otherKey = "api_planted0key0of0other"

func TestAKeyLogsInTheAccountThatItBelongsTo(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ann", "ANN", "ann@example.com", annID} {
		issued, err := w.keys.LoginKey(w.ctx, name, auth.NewSecret(annKey))
		must(t, err)
		if issued.TTL != 20*time.Second || len(issued.Token.Reveal()) != 36 {
			t.Errorf("lives %v, and has %d characters", issued.TTL, len(issued.Token.Reveal()))
		}
		p, err := w.resolve(issued.Token)
		must(t, err)
		if p.Subject != annID || p.KeyID != w.keyID || p.Permissions != auth.Read || p.Dialect != "timed_login" {
			t.Errorf("the token is one of %+v", p)
		}
	}
	k, err := w.Keys.Key(w.ctx, realm, w.keyID)
	must(t, err)
	if k.LastUsed.IsZero() {
		t.Error("nothing says that the key was used")
	}
}

func TestATokenHasTheTenantAndScopesOfItsKey(t *testing.T) {
	w := newWorld(t)
	must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-1", Realm: realm, Name: "Acme Ltd"}))
	must(t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: "t-1", Roles: []string{"buyer"}}))
	w.addKey(otherKey, store.Key{Account: annID, Tenant: "t-1", Scopes: auth.Scope{"orders"}})
	issued, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(otherKey))
	must(t, err)
	p, err := w.resolve(issued.Token)
	must(t, err)
	if p.Tenant != "t-1" || !p.HasRole("buyer") || !p.Scopes.Has("orders") || p.Permissions != 0 {
		t.Errorf("the token is one of %+v", p)
	}
}

// TestAKeyThatIsNotGoodIsRefused: the reason is for dialects that tell a bad
// key from an unknown name, and for the audit log.
func TestAKeyThatIsNotGoodIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, username, key string
		with                store.Key // the key otherKey
		reason              auth.Reason
	}{
		{"nobody has the key", "ann", "api_nobody", store.Key{Account: bobID}, auth.ReasonMismatch},
		{"the key is empty", "ann", "", store.Key{Account: bobID}, auth.ReasonMismatch},
		{"the key is another account's", "ann", otherKey, store.Key{Account: carolID}, auth.ReasonMismatch},
		{"the key is a tenant's", "ann", otherKey, store.Key{Tenant: "t-1"}, auth.ReasonMismatch},
		{"the key is the gateway's", "ann", otherKey, store.Key{Gateway: true}, auth.ReasonMismatch},
		{"the key is revoked", "ann", otherKey, store.Key{Account: annID, Revoked: time.Unix(1, 0)}, auth.ReasonMismatch},
		{"the key has expired", "ann", otherKey, store.Key{Account: annID, Expires: time.Unix(1, 0)}, auth.ReasonMismatch},
		{"the key is right but for its case", "ann", "API_PLANTED0KEY0OF0ANN00", store.Key{Account: bobID}, auth.ReasonMismatch},
		{"the password is sent as a key", "ann", right, store.Key{Account: bobID}, auth.ReasonMismatch},
		{"nobody has the name", "nobody", annKey, store.Key{Account: bobID}, auth.ReasonUnknown},
		{"the account is disabled", "bob", otherKey, store.Key{Account: bobID}, auth.ReasonUnknown},
		{"the account is disabled and the key wrong", "bob", annKey, store.Key{Account: bobID}, auth.ReasonUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-1", Realm: realm, Name: "Acme Ltd"}))
			w.addKey(otherKey, c.with)
			lookups := 0
			w.hooks.keyLookup = func() error { lookups++; return nil }
			issued, err := w.keys.LoginKey(w.ctx, c.username, auth.NewSecret(c.key))
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			wantNothing(t, issued)
			if lookups != 1 {
				t.Errorf("the key was looked up %d times", lookups)
			}
			if w.hasher.work.Load() != 0 || w.sessions() != 0 {
				t.Errorf("%d hashes, %d tokens", w.hasher.work.Load(), w.sessions())
			}
		})
	}
}

func TestAKeyIsRefusedAtTheInstantItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.changeKey(w.keyID, func(k *store.Key) { k.Expires = store.Precise(w.now()).Add(time.Minute) })
		w.clock.Store(int64(time.Minute - time.Millisecond))
		w.loginKey()
		w.clock.Store(int64(time.Minute))
		_, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
	})
}

func TestAKeyOfAnotherRealmIsNoKeyHere(t *testing.T) {
	w := newWorld(t)
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: annID, Realm: "elsewhere", Username: "ann"}))
	elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "timed_login"})
	_, err := elsewhere.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
}

// TestTheAllowListsOfAccountAndKeyBothCount, and are told of only to who has a
// good key.
func TestTheAllowListsOfAccountAndKeyBothCount(t *testing.T) {
	here, there := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		name         string
		account, key []netip.Prefix
		ok           bool
	}{
		{"neither has one", nil, nil, true},
		{"both hold the address", []netip.Prefix{there, here}, []netip.Prefix{here}, true},
		{"the account's does not hold it", []netip.Prefix{there}, nil, false},
		{"the key's does not hold it", nil, []netip.Prefix{there}, false},
		{"only the account's holds it", []netip.Prefix{here}, []netip.Prefix{there}, false},
		{"only the key's holds it", []netip.Prefix{there}, []netip.Prefix{here}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.changeAccount(annID, func(a *store.Account) { a.Addresses = c.account })
			w.changeKey(w.keyID, func(k *store.Key) { k.Addresses = c.key })
			_, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret("a wrong key"))
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
			issued, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
			if c.ok {
				must(t, err)
				return
			}
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
			wantNothing(t, issued)
		})
	}
}

// TestATokenDiesWithTheKeyThatObtainedIt on the next request, cached or not.
func TestATokenDiesWithTheKeyThatObtainedIt(t *testing.T) {
	for _, c := range []struct {
		name string
		kill func(*world)
	}{
		{"the key is revoked", func(w *world) {
			w.changeKey(w.keyID, func(k *store.Key) { k.Revoked = store.Precise(w.now()) })
		}},
		{"the key is made to expire", func(w *world) {
			w.changeKey(w.keyID, func(k *store.Key) { k.Expires = store.Precise(w.now()) })
		}},
		{"the account is deleted with its keys", func(w *world) {
			must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.deps.Resolver.Start()
				defer w.deps.Resolver.Close()
				synctest.Wait()
				issued := w.loginKey()
				for range 2 {
					if _, err := w.resolve(issued.Token); err != nil {
						t.Fatal(err)
					}
				}
				if w.deps.Resolver.Stats().Hits == 0 {
					t.Fatal("the verdict was not cached: the test would prove nothing")
				}
				c.kill(w)
				if _, err := w.resolve(issued.Token); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestAKeyThatExpiresFirstEndsItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.changeKey(w.keyID, func(k *store.Key) { k.Expires = store.Precise(w.now()).Add(5 * time.Second) })
		issued := w.loginKey()
		p, err := w.resolve(issued.Token)
		must(t, err)
		if !p.Expires.Before(issued.Expires) {
			t.Errorf("the verdict lasts until %v", p.Expires)
		}
		w.clock.Store(int64(5 * time.Second))
		_, err = w.resolve(issued.Token)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	})
}
