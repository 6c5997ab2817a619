package session_test

import (
	"context"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestATokenOfATenantIsWithdrawnWhenWhatItRestsOnChangedDuringTheLogin does
// what an operator does between the check of a login and the token's row, where
// no revocation can see the token.
func TestATokenOfATenantIsWithdrawnWhenWhatItRestsOnChangedDuringTheLogin(t *testing.T) {
	all := []string{"by password", "by identifier", "by code"}
	for _, c := range []struct {
		name   string
		change func(*tenantWorld)
		ways   []string
	}{
		{"the password was changed", func(w *tenantWorld) {
			w.changeAccount(annID, func(a *store.Account) { a.Password = w.hash("another password") })
		}, all[:1]},
		{"the account was disabled", func(w *tenantWorld) {
			w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
		}, all},
		{"the account was deleted", func(w *tenantWorld) {
			must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		}, all},
		{"the identifier was deleted", func(w *tenantWorld) { w.forget(annID) }, all[1:]},
		{"the identifier was given to another account", func(w *tenantWorld) {
			w.forget(annID)
			w.join(danAccount, acmeTenant, salesUnit)
			w.identify("ann", danAccount, annCode)
		}, all[1:]},
		{"the pass code was changed", func(w *tenantWorld) {
			w.forget(annID)
			must(w.t, w.Identifiers.InsertIdentifier(w.ctx, store.Identifier{ID: "new", Realm: realm, Account: annID, Name: "id-of-ann", PassCode: w.hash(wrongPass)}))
		}, all[1:2]},
		{"the unit was deleted", func(w *tenantWorld) {
			must(w.t, w.Units.DeleteUnit(w.ctx, realm, acmeTenant, salesUnit))
		}, all},
		{"the tenant was deleted", func(w *tenantWorld) {
			must(w.t, w.Tenants.DeleteTenant(w.ctx, realm, acmeTenant))
		}, all},
	} {
		for _, way := range c.ways {
			t.Run(c.name+", "+way, func(t *testing.T) {
				w := newTenantWorld(t)
				w.hooks.insert = once(func() {
					c.change(w)
					_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
					must(t, err)
				})
				issued, err := w.tenants.LoginTenant(w.ctx, annIn()[way])
				if err == nil || auth.CodeOf(err) != auth.InvalidCredential {
					t.Fatalf("got %v", err)
				}
				wantNothing(t, issued)
				if n := w.sessions(); n != 0 {
					t.Errorf("%d tokens were left behind", n)
				}
				if e := w.last(); e.OK || e.TokenID != "" {
					t.Errorf("audited was %+v", e)
				}
			})
		}
	}
}

func TestAChangeThatLeavesTheLoginRightLetsItThrough(t *testing.T) {
	for way, l := range annIn() {
		t.Run(way, func(t *testing.T) {
			w := newTenantWorld(t)
			w.hooks.insert = once(func() {
				w.changeAccount(annID, func(a *store.Account) { a.Roles = []string{"admin"} })
				w.join(annID, acmeTenant, storesUnit)
			})
			p, err := w.resolve(w.enter(l).Token)
			must(t, err)
			if !p.HasRole("admin") || p.Unit != salesUnit {
				t.Errorf("the token is one of %+v", p)
			}
		})
	}
}

func TestTenantLoginsAtOnceThatMakeAnOldHashAnewAllSucceed(t *testing.T) {
	w := newTenantWorld(t)
	w.outdated()
	for _, err := range atOnce(8, func(int) error {
		_, err := w.tenants.LoginTenant(w.ctx, byPassword("ann", right))
		return err
	}) {
		must(t, err)
	}
	if n := w.sessions(); n != 8 {
		t.Errorf("%d tokens are stored", n)
	}
}

func TestATokenOfATenantIsWithdrawnAlsoWhenItsCallerHasLeft(t *testing.T) {
	w := newTenantWorld(t)
	ctx, leave := context.WithCancel(w.ctx)
	defer leave()
	w.hooks.insert = once(func() {
		w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
	})
	w.hasher.before = func() {
		if w.hasher.work.Load() == 2 { // the password is looked at again
			leave()
		}
	}
	issued, err := w.tenants.LoginTenant(ctx, byPassword("ann", right))
	wantRefusal(t, err, auth.Unavailable, auth.ReasonTimeout)
	wantNothing(t, issued)
	if n := w.sessions(); n != 0 {
		t.Errorf("%d tokens were left behind", n)
	}
}
