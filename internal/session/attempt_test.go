package session_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// fail logs in with a wrong password or key n times.
func (w *world) fail(n int, name string) {
	w.t.Helper()
	for range n {
		_, err := w.password.LoginPassword(w.ctx, name, auth.NewSecret(wrong))
		if auth.CodeOf(err) != auth.InvalidCredential {
			w.t.Fatalf("got %v", err)
		}
	}
}

// wantThrottled fails the test unless err says when to come back.
func wantThrottled(t testing.TB, err error, most time.Duration) {
	t.Helper()
	wantRefusal(t, err, auth.Throttled, auth.ReasonAttempts)
	if after := auth.AsError(err).RetryAfter; after <= 0 || after > most {
		t.Errorf("come back after %v, want at most %v", after, most)
	}
}

func TestFiveFailuresLockAnAccountWhoeverKnowsThePassword(t *testing.T) {
	for _, name := range []string{"ann", "nobody"} { // both alike: the lock does not tell who exists
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fail(5, name)
			work := w.hasher.work.Load()
			issued, err := w.password.LoginPassword(w.ctx, name, auth.NewSecret(right))
			wantThrottled(t, err, 5*time.Minute)
			wantNothing(t, issued)
			if w.hasher.work.Load() != work {
				t.Error("a hash was worked out for a locked account")
			}
		})
	}
}

func TestALockEndsByItself(t *testing.T) {
	w := newWorld(t)
	w.fail(5, "ann")
	w.clock.Store(int64(5*time.Minute + time.Second))
	w.login("ann")
}

func TestALockLeavesTokensAlone(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	w.fail(5, "ann")
	if _, err := w.resolve(issued.Token); err != nil {
		t.Errorf("a token of a locked account was refused: %v", err)
	}
}

func TestAllSpellingsAndAllNamesOfAnAccountShareACounter(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ann", "ANN", "ａｎｎ", "ann@example.com", annID} {
		w.fail(1, name)
	}
	_, err := w.password.LoginPassword(w.ctx, "Ann", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
}

func TestAllSpellingsOfANameOfNobodyShareACounter(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"nobody", "NOBODY", "ｎｏｂｏｄｙ", "Nobody", "noBody"} {
		w.fail(1, name)
	}
	_, err := w.password.LoginPassword(w.ctx, "nobody", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
}

func TestBothKindsOfLoginShareACounter(t *testing.T) {
	w := newWorld(t)
	w.fail(3, "ann")
	for range 2 {
		_, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret("a wrong key"))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
	}
	_, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
	wantThrottled(t, err, 5*time.Minute)
	_, err = w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
}

func TestASuccessOfEitherKindClearsTheCounter(t *testing.T) {
	w := newWorld(t)
	w.fail(4, "ann")
	w.login("ann")
	w.fail(4, "ann")
	w.loginKey()
	w.fail(4, "ann")
	w.login("ann")
}

func TestAnotherAccountIsNotLocked(t *testing.T) {
	w := newWorld(t)
	w.fail(5, "bob")
	w.fail(5, "nobody")
	w.login("ann")
}

func TestAnotherRealmIsNotLocked(t *testing.T) {
	for _, name := range []string{"ann", "nobody"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: annID, Realm: "elsewhere", Username: "ann"}))
			w.fail(5, name)
			elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "management"})
			_, err := elsewhere.LoginPassword(w.ctx, name, auth.NewSecret(wrong))
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		})
	}
}

func TestAHundredFailuresLockAnAddressForEveryAccount(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.fail(1, "nobody"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
	_, err = w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
	wantThrottled(t, err, 5*time.Minute)
	w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("192.0.2.2"))
	w.login("ann")
}

// TestASuccessDoesNotClearTheCounterOfItsAddress: an account of one's own must
// not pay for guesses at all others.
func TestASuccessDoesNotClearTheCounterOfItsAddress(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.fail(1, "nobody"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		if i == 98 {
			w.login("ann")
		}
	}
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
}

func TestTheCounterOfAnAddressIsThatOfItsNetwork(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("2001:db8:1:2::").Next())
		if i%2 == 0 {
			w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("2001:db8:1:2:ffff::1"))
		}
		w.fail(1, "nobody"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantThrottled(t, err, 5*time.Minute)
}

// TestAFaultOfOursCountsForNothing: four failures, where the fifth locks the
// account, and then more faults than an address may have failures.
func TestAFaultOfOursCountsForNothing(t *testing.T) {
	byPassword := func(w *world) error {
		_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		return err
	}
	byKey := func(w *world) error {
		_, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
		return err
	}
	for _, c := range []struct {
		name  string
		login func(*world) error
		fault func(*world) (mend func())
	}{
		{"the account cannot be looked up", byPassword, func(w *world) func() {
			w.hooks.account = down
			return func() { w.hooks.account = nil }
		}},
		{"the hash queue is full", byPassword, func(w *world) func() {
			w.hasher.fail = auth.Fail(auth.Unavailable, auth.ReasonQueue, nil)
			return func() { w.hasher.fail = nil }
		}},
		{"the row cannot be kept", byPassword, func(w *world) func() {
			w.hooks.insert = down
			return func() { w.hooks.insert = nil }
		}},
		{"the key cannot be looked up", byKey, func(w *world) func() {
			w.hooks.keyLookup = down
			return func() { w.hooks.keyLookup = nil }
		}},
		{"the caller has left", byPassword, func(w *world) func() {
			ctx := w.ctx
			ended, cancel := context.WithCancel(ctx)
			cancel()
			w.ctx = ended
			return func() { w.ctx = ctx }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.fail(4, "ann")
			mend := c.fault(w)
			for range 150 {
				if err := c.login(w); err == nil || auth.CodeOf(err) != auth.Unavailable {
					t.Fatalf("got %v, want a fault of ours", err)
				}
			}
			mend()
			must(t, c.login(w))
		})
	}
}

func TestALimitOfALoginBlockIsItsOwn(t *testing.T) {
	w := newWorld(t)
	strict := w.service(session.Config{Dialect: "management", Attempts: throttle.Limit{Events: 2, Window: time.Hour}})
	w.fail(2, "ann")
	_, err := strict.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantThrottled(t, err, time.Hour)
	w.login("ann")
}

// TestAPanicGivesUpItsPlace: places that stay taken would lock the account and
// the address for ever.
func TestAPanicGivesUpItsPlace(t *testing.T) {
	w := newWorld(t)
	w.hasher.before = func() { panic("a corrupt row") }
	for range 6 {
		func() {
			defer func() { _ = recover() }()
			_, _ = w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
			t.Error("no panic")
		}()
	}
	w.hasher.before = nil
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	w.ctx = ctx
	w.login("ann")
}
