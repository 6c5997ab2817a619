package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestAReleasedTokenIsDeadAtOnceAndReleasedOnce(t *testing.T) {
	for name, c := range map[string]session.Config{"opaque": {}, "JWT": {JWT: true}, "idle": {Idle: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.tenants = w.crm(c)
			kept, issued := w.enter(byPassword("ann", right)), w.enter(byPassword("ann", right))
			must(t, w.tenants.Release(w.ctx, issued.Token.Reveal()))
			e := w.last()
			if e.Kind != auth.RevocationEvent || !e.OK || e.TokenID != issued.ID || e.Subject != annID {
				t.Errorf("audited was %+v", e)
			}
			_, err := w.resolve(issued.Token)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
			n := len(w.events)
			wantRefusal(t, w.tenants.Release(w.ctx, issued.Token.Reveal()), auth.InvalidCredential, auth.ReasonUnknown)
			if len(w.events) != n {
				t.Errorf("audited was %+v", w.last())
			}
			_, err = w.resolve(kept.Token)
			must(t, err)
			w.wantNoTenantSecret(issued, kept)
		})
	}
}

func TestOneOfFiftyReleasesAtOnceSucceeds(t *testing.T) {
	w := newTenantWorld(t)
	issued := w.enter(byPassword("ann", right))
	w.deps.Store.Sessions = gather(w.deps.Store.Sessions, 50) // all find it before one withdraws it
	won := 0
	for _, err := range atOnce(50, func(int) error { return w.tenants.Release(w.ctx, issued.Token.Reveal()) }) {
		if err == nil {
			won++
			continue
		}
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	}
	if won != 1 {
		t.Errorf("%d releases succeeded", won)
	}
}

func TestWhatIsNoTokenOfTheDialectIsNotReleased(t *testing.T) {
	w := newTenantWorld(t)
	issued := w.login("ann") // by management
	for _, text := range []string{issued.Token.Reveal(), "", "0123456789ABCDEF0123456789ABCDEF", annCode} {
		wantRefusal(t, w.tenants.Release(w.ctx, text), auth.InvalidCredential, auth.ReasonUnknown)
	}
	_, err := w.resolve(issued.Token)
	must(t, err)
}

// TestATokenWhoseTimeIsOverIsToldApartForAWhile, by the release as by whoever
// resolves it.
func TestATokenWhoseTimeIsOverIsToldApartForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		cfg        session.Config
		over, gone time.Duration
	}{
		"opaque": {session.Config{}, time.Hour, 70 * time.Minute},
		"idle":   {session.Config{Idle: time.Minute}, time.Minute + authn.IdlePrecision(time.Minute), 70 * time.Minute},
		"both":   {session.Config{Idle: time.Hour}, time.Hour, 70 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.tenants = w.crm(c.cfg)
			issued := w.enter(byPassword("ann", right))
			w.clock.Store(int64(c.over))
			_, err := w.resolve(issued.Token)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
			wantRefusal(t, w.tenants.Release(w.ctx, issued.Token.Reveal()), auth.InvalidCredential, auth.ReasonExpired)
			w.clock.Store(int64(c.gone))
			_, err = w.resolve(issued.Token)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
			wantRefusal(t, w.tenants.Release(w.ctx, issued.Token.Reveal()), auth.InvalidCredential, auth.ReasonUnknown)
		})
	}
}

func TestAFaultOfOursIsNoBadToken(t *testing.T) {
	w := newTenantWorld(t)
	issued := w.enter(byPassword("ann", right))
	w.deps.Store.Sessions = deafSessions{w.deps.Store.Sessions}
	wantRefusal(t, w.tenants.Release(w.ctx, issued.Token.Reveal()), auth.Unavailable, auth.ReasonStore)
}

// deafSessions removes nothing.
type deafSessions struct{ store.Sessions }

func (deafSessions) RevokeSessions(context.Context, string, store.SessionMatch) (int, error) {
	return 0, down()
}
