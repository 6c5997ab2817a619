package session_test

import (
	"context"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestATokenIsWithdrawnWhenTheAccountChangedDuringTheLogin does what an
// operator does between the check of the password and the token's row, where
// no revocation can see the token.
func TestATokenIsWithdrawnWhenTheAccountChangedDuringTheLogin(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		reason auth.Reason
	}{
		{"the password was changed", func(w *world) {
			w.changeAccount(annID, func(a *store.Account) { a.Password = w.hash("another password") })
		}, auth.ReasonPassword},
		{"the password was taken away", func(w *world) {
			w.changeAccount(annID, func(a *store.Account) { a.Password = auth.Secret{} })
		}, auth.ReasonUnknown},
		{"the account was disabled", func(w *world) {
			w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
		}, auth.ReasonDisabled},
		{"the account was deleted", func(w *world) {
			must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		}, auth.ReasonUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks.insert = once(func() {
				c.change(w)
				_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
				must(t, err)
			})
			issued, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
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

func TestAChangeThatLeavesThePasswordLetsTheLoginThrough(t *testing.T) {
	w := newWorld(t)
	w.hooks.insert = once(func() {
		w.changeAccount(annID, func(a *store.Account) { a.Roles = []string{"admin"} })
	})
	issued := w.login("ann")
	p, err := w.resolve(issued.Token)
	must(t, err)
	if !p.HasRole("admin") {
		t.Errorf("roles are %q", p.Roles)
	}
}

// TestLoginsAtOnceThatMakeAnOldHashAnewAllSucceed: after an import every first
// login does, and the first of two must not throw the other out.
func TestLoginsAtOnceThatMakeAnOldHashAnewAllSucceed(t *testing.T) {
	w := newWorld(t)
	w.outdated()
	var logins sync.WaitGroup
	for range 4 {
		logins.Go(func() {
			if _, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right)); err != nil {
				t.Error(err)
			}
		})
	}
	logins.Wait()
	w.login("ann")
	if n := w.sessions(); n != 5 {
		t.Errorf("%d tokens are stored", n)
	}
}

// TestALoginThatAnotherOvertookWhileUpgradingSucceeds is the same, one step
// after the other.
func TestALoginThatAnotherOvertookWhileUpgradingSucceeds(t *testing.T) {
	w := newWorld(t)
	w.outdated()
	w.hooks.update = once(func() { w.login("ann") })
	issued := w.login("ann")
	if _, err := w.resolve(issued.Token); err != nil {
		t.Error(err)
	}
}

func TestATokenIsWithdrawnAlsoWhenItsCallerHasLeft(t *testing.T) {
	w := newWorld(t)
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
	issued, err := w.password.LoginPassword(ctx, "ann", auth.NewSecret(right))
	wantRefusal(t, err, auth.Unavailable, auth.ReasonTimeout)
	wantNothing(t, issued)
	if n := w.sessions(); n != 0 {
		t.Errorf("%d tokens were left behind", n)
	}
}

// TestAnIdThatBecameANameIsNotTheAccount: an account that is gone leaves its id
// to be anyone's username.
func TestAnIdThatBecameANameIsNotTheAccount(t *testing.T) {
	w := newWorld(t)
	w.hooks.insert = once(func() {
		must(t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: "another", Realm: realm, Username: annID, Password: w.hash(right)}))
	})
	issued, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	wantNothing(t, issued)
	_, err = w.password.User(w.ctx, &auth.Principal{Realm: realm, Subject: annID})
	wantRefusal(t, err, auth.NotFound, "")
}

// TestALoginByKeyOfAnAccountDisabledInBetweenIssuesNothingThatResolves: it is
// not confirmed, since whoever resolves the token looks at the account again.
func TestALoginByKeyOfAnAccountDisabledInBetweenIssuesNothingThatResolves(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		reason auth.Reason
	}{
		{"the account was disabled", func(w *world) {
			w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
		}, auth.ReasonDisabled},
		{"the account was deleted", func(w *world) {
			must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		}, auth.ReasonUnknown},
		{"the key was revoked", func(w *world) {
			w.changeKey(w.keyID, func(k *store.Key) { k.Revoked = store.Precise(w.now()) })
		}, auth.ReasonRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks.insert = once(func() { c.change(w) })
			issued, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
			must(t, err)
			_, err = w.resolve(issued.Token)
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			_, err = w.keys.Resolve(w.ctx, bearerOf(issued.Token))
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
		})
	}
}

var _ session.Hasher = (*countingHasher)(nil)
