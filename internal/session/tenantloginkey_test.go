package session_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (w *tenantWorld) enterByKey(unit string) (session.Issued, error) {
	return w.tenants.LoginTenantKey(w.ctx, auth.NewSecret(tenantKey), unit)
}

func TestAKeyOfATenantLogsInAsItself(t *testing.T) {
	w := newTenantWorld(t)
	id := w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Scopes: auth.Scope{"orders"}, Permissions: auth.Read})
	for unit, want := range map[string]string{"": "", storesUnit: storesUnit} {
		issued, err := w.enterByKey(unit)
		must(t, err)
		p, err := w.resolve(issued.Token)
		must(t, err)
		if p.Subject != authn.KeySubject(id) || p.KeyID != id || p.Tenant != acmeTenant || p.TenantName != "Acme Ltd" || p.Unit != want ||
			p.Permissions != auth.Read || !p.Scopes.Has("orders") || p.Dialect != "crm_token" {
			t.Errorf("the token is one of %+v", p)
		}
	}
	k, err := w.Keys.Key(w.ctx, realm, id)
	must(t, err)
	if k.LastUsed.IsZero() {
		t.Error("nothing says that the key was used")
	}
	if w.hasher.work.Load() != 0 {
		t.Error("a hash was worked out")
	}
}

func TestAKeyOfATenantAndAnAccountLogsInTheAccount(t *testing.T) {
	w := newTenantWorld(t)
	id := w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Account: annID})
	for unit, want := range map[string]string{"": salesUnit, storesUnit: storesUnit} {
		issued, err := w.enterByKey(unit)
		must(t, err)
		p, err := w.resolve(issued.Token)
		must(t, err)
		if p.Subject != annID || p.KeyID != id || p.Tenant != acmeTenant || p.Unit != want || !p.HasRole("buyer") {
			t.Errorf("the token is one of %+v", p)
		}
	}
}

// TestATokenOfAKeyHasALifeOfItsOwn, which using it does not lengthen.
func TestATokenOfAKeyHasALifeOfItsOwn(t *testing.T) {
	for _, jwt := range []bool{false, true} {
		w := newTenantWorld(t)
		w.addKey(tenantKey, store.Key{Tenant: acmeTenant})
		s := w.crm(session.Config{KeyTTL: 2 * time.Hour, Idle: 30 * time.Minute, JWT: jwt})
		issued, err := s.LoginTenantKey(w.ctx, auth.NewSecret(tenantKey), "")
		must(t, err)
		w.clock.Store(int64(2*time.Hour - time.Second))
		_, err = w.resolve(issued.Token)
		must(t, err)
		w.clock.Store(int64(2 * time.Hour))
		_, err = w.resolve(issued.Token)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
		if issued.TTL != 2*time.Hour {
			t.Errorf("it lives %v", issued.TTL)
		}
	}
}

// TestAKeyOfATenantThatIsNotGoodIsRefused with one code: the reason is for the
// audit log alone.
func TestAKeyOfATenantThatIsNotGoodIsRefused(t *testing.T) {
	there := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, unit string
		key        store.Key
		reason     auth.Reason
	}{
		{"it is revoked", "", store.Key{Tenant: acmeTenant, Revoked: time.Unix(1, 0)}, auth.ReasonRevoked},
		{"it has expired", "", store.Key{Tenant: acmeTenant, Expires: time.Unix(1, 0)}, auth.ReasonExpired},
		{"it is of an account and no tenant", "", store.Key{Account: annID}, auth.ReasonTenant},
		{"it is the gateway's", "", store.Key{Gateway: true}, auth.ReasonTenant},
		{"its account is disabled", "", store.Key{Tenant: acmeTenant, Account: bobID}, auth.ReasonDisabled},
		{"its account is no member", "", store.Key{Tenant: acmeTenant, Account: danAccount}, auth.ReasonTenant},
		{"the unit is another tenant's", foreignUnit, store.Key{Tenant: acmeTenant}, auth.ReasonTenant},
		{"the unit is another tenant's, with an account", foreignUnit, store.Key{Tenant: acmeTenant, Account: annID}, auth.ReasonTenant},
		{"nobody has the unit", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", store.Key{Tenant: acmeTenant}, auth.ReasonTenant},
		{"the unit is a name", "Sales", store.Key{Tenant: acmeTenant}, auth.ReasonTenant},
		{"it is off its allow-list", "", store.Key{Tenant: acmeTenant, Addresses: there}, auth.ReasonAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTenantWorld(t)
			id := w.addKey(tenantKey, c.key)
			issued, err := w.enterByKey(c.unit)
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			wantNothing(t, issued)
			if n := w.sessions(); n != 0 {
				t.Errorf("%d tokens are stored", n)
			}
			if e := w.last(); e.OK || e.KeyID != id || e.Reason != c.reason || e.Kind != auth.LoginEvent || len(w.events) != 1 {
				t.Errorf("audited was %+v", w.events)
			}
			w.wantNoTenantSecret()
		})
	}
}

func TestATextThatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{"api_nobody", "", tenantKey + " ", "PLANTED-KEY-OF-ACME", right, annCode} {
		w := newTenantWorld(t)
		w.addKey(tenantKey, store.Key{Tenant: acmeTenant})
		issued, err := w.tenants.LoginTenantKey(w.ctx, auth.NewSecret(text), "")
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		wantNothing(t, issued)
		if e := w.last(); e.KeyID != 0 || e.Subject != "" {
			t.Errorf("audited was %+v", e)
		}
	}
}

func TestAnAllowListOfTheAccountHoldsForItsKeyToo(t *testing.T) {
	w := newTenantWorld(t)
	w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Account: annID})
	w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	_, err := w.enterByKey("")
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
}

// TestFailuresOfAKeyLockNoAccount: a key that is not good names nobody.
func TestFailuresOfAKeyLockNoAccount(t *testing.T) {
	w := newTenantWorld(t)
	w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Account: annID})
	for range 50 {
		_, err := w.enterByKey(foreignUnit)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonTenant)
	}
	_, err := w.enterByKey("")
	must(t, err)
	w.enter(byPassword("ann", right))
}

func TestATokenOfATenantDiesWithItsKey(t *testing.T) {
	for name, kill := range map[string]func(w *tenantWorld, id int64){
		"the key is revoked": func(w *tenantWorld, id int64) {
			w.changeKey(id, func(k *store.Key) { k.Revoked = store.Precise(w.now()) })
		},
		"the account is disabled": func(w *tenantWorld, _ int64) {
			w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
		},
		"the account leaves the tenant": func(w *tenantWorld, _ int64) {
			must(w.t, w.Memberships.DeleteMembership(w.ctx, realm, annID, acmeTenant))
		},
		"the unit is deleted": func(w *tenantWorld, _ int64) {
			must(w.t, w.Units.DeleteUnit(w.ctx, realm, acmeTenant, salesUnit))
		},
		"the tenant is deleted": func(w *tenantWorld, _ int64) {
			must(w.t, w.Tenants.DeleteTenant(w.ctx, realm, acmeTenant))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTenantWorld(t)
				id := w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Account: annID})
				w.deps.Resolver.Start()
				defer w.deps.Resolver.Close()
				synctest.Wait()
				issued, err := w.enterByKey("")
				must(t, err)
				for range 2 {
					_, err := w.resolve(issued.Token)
					must(t, err)
				}
				if w.deps.Resolver.Stats().Hits == 0 {
					t.Fatal("the verdict was not cached: the test would prove nothing")
				}
				kill(w, id)
				if _, err := w.resolve(issued.Token); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestATokenOfAKeyIsWithdrawnWhenItsUnitWasDeletedDuringTheLogin(t *testing.T) {
	w := newTenantWorld(t)
	w.addKey(tenantKey, store.Key{Tenant: acmeTenant})
	w.hooks.insert = once(func() { must(t, w.Units.DeleteUnit(w.ctx, realm, acmeTenant, storesUnit)) })
	issued, err := w.enterByKey(storesUnit)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonTenant)
	wantNothing(t, issued)
	if n := w.sessions(); n != 0 {
		t.Errorf("%d tokens were left behind", n)
	}
}

func TestAFaultOfOursIsNoBadKey(t *testing.T) {
	for _, what := range []string{"key", "account", "tenant", "membership", "unit", "row"} {
		t.Run(what, func(t *testing.T) {
			w := newTenantWorld(t)
			w.addKey(tenantKey, store.Key{Tenant: acmeTenant, Account: annID})
			switch what {
			case "key":
				w.hooks.keyLookup = down
			case "row":
				w.hooks.insert = down
			default:
				w.down = what
			}
			for range 105 {
				_, err := w.enterByKey("")
				wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
			}
			w.hooks.keyLookup, w.hooks.insert, w.down = nil, nil, ""
			_, err := w.enterByKey("")
			must(t, err)
		})
	}
}
