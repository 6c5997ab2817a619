package session_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestAJWTResolvesAndARevokedOneStaysRevoked(t *testing.T) {
	w := newWorld(t)
	jwt := w.service(session.Config{Dialect: "management", JWT: true})
	issued, err := jwt.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	must(t, err)
	if strings.Count(issued.Token.Reveal(), ".") != 2 {
		t.Fatal("the token is no JWT")
	}
	p, err := jwt.Resolve(w.ctx, bearerOf(issued.Token))
	must(t, err)
	if p.Subject != annID || p.TokenID != issued.ID {
		t.Errorf("the token is one of %+v", p)
	}
	must(t, jwt.Revoke(w.ctx, issued.Token.Reveal()))
	_, err = w.resolve(issued.Token)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	w.deps.Resolver = authn.New(authn.Config{Store: w.Store, Signers: w.deps.Signers, Now: w.now})
	_, err = w.resolve(issued.Token)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

// TestTheDatesOfAJWTSayHowLongItLives: not a second more, whenever in a second
// it is issued.
func TestTheDatesOfAJWTSayHowLongItLives(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.clock.Store(int64(start.Truncate(time.Second).Add(1700 * time.Millisecond).Sub(start)))
	issued, err := w.service(session.Config{Dialect: "management", JWT: true, TTL: 30 * time.Minute}).LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	must(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(issued.Token.Reveal(), ".")[1])
	must(t, err)
	var claims struct{ Iat, Exp int64 }
	must(t, json.Unmarshal(payload, &claims))
	if claims.Exp-claims.Iat != 1800 || issued.TTL != 30*time.Minute || !issued.Expires.Equal(time.Unix(claims.Exp, 0)) {
		t.Errorf("iat %d and exp %d of a token that lives %v, until %v", claims.Iat, claims.Exp, issued.TTL, issued.Expires)
	}
}

func TestAJWTOfOneRealmIsNothingInAnother(t *testing.T) {
	w := newWorld(t)
	jwt := w.service(session.Config{Dialect: "management", JWT: true})
	issued, err := jwt.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	must(t, err)
	elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "management", JWT: true})
	_, err = elsewhere.Resolve(w.ctx, bearerOf(issued.Token))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	must(t, elsewhere.Revoke(w.ctx, issued.Token.Reveal()))
	if _, err := w.resolve(issued.Token); err != nil {
		t.Errorf("another realm revoked it: %v", err)
	}
}

// TestAnExpiredTokenIsToldApartUntilItIsForgotten: expired, then unknown.
func TestAnExpiredTokenIsToldApartUntilItIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name            string
		remember        time.Duration
		after           time.Duration
		reason          auth.Reason
		swept, resolves bool
	}{
		{"just before it expires", 10 * time.Minute, time.Minute - time.Millisecond, "", false, true},
		{"at the instant it expires", 10 * time.Minute, time.Minute, auth.ReasonExpired, false, false},
		{"just before it is forgotten", 10 * time.Minute, 11*time.Minute - time.Millisecond, auth.ReasonExpired, false, false},
		{"at the instant it is forgotten", 10 * time.Minute, 11 * time.Minute, auth.ReasonUnknown, true, false},
		{"where nothing is remembered", 0, time.Minute, auth.ReasonUnknown, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				svc := w.service(session.Config{Dialect: "timed_login", TTL: time.Minute, Remember: c.remember})
				issued, err := svc.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
				must(t, err)
				w.clock.Store(int64(c.after))
				n, err := w.Sessions.SweepSessions(w.ctx, 10)
				must(t, err)
				if swept := n == 1; swept != c.swept {
					t.Errorf("%d rows were swept", n)
				}
				_, err = svc.Resolve(w.ctx, bearerOf(issued.Token))
				if c.resolves {
					must(t, err)
					return
				}
				wantRefusal(t, err, auth.InvalidCredential, c.reason)
			})
		})
	}
}

func TestATokenThatIdlesIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		svc := w.service(session.Config{Dialect: "management", TTL: time.Hour, Idle: time.Minute})
		issued, err := svc.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		must(t, err)
		w.clock.Store(int64(time.Minute + authn.IdlePrecision(time.Minute)))
		_, err = svc.Resolve(w.ctx, bearerOf(issued.Token))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	})
}

func TestADialectsOwnCallsTakeItsOwnTokensOnly(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	if _, err := w.password.Resolve(w.ctx, bearerOf(issued.Token)); err != nil {
		t.Errorf("its own was refused: %v", err)
	}
	other := w.service(session.Config{Dialect: "management", TTL: time.Hour})
	if _, err := other.Resolve(w.ctx, bearerOf(issued.Token)); err != nil {
		t.Errorf("one of another block of the dialect was refused: %v", err)
	}
	_, err := w.keys.Resolve(w.ctx, bearerOf(issued.Token))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "management"})
	_, err = elsewhere.Resolve(w.ctx, bearerOf(issued.Token))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func TestADialectsOwnCallsTakeAKeyOfTheRealm(t *testing.T) {
	w := newWorld(t)
	key := bearer.Credential{Kind: auth.APIKey, Key: annKey}
	for _, svc := range []*session.Service{w.password, w.keys} {
		p, err := svc.Resolve(w.ctx, key)
		must(t, err)
		if p.Subject != annID || p.KeyID != w.keyID {
			t.Errorf("the key is one of %+v", p)
		}
	}
}

func TestADialectsOwnCallsKeepToTheAllowList(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	w.changeAccount(annID, allowing("10.0.0.0/8"))
	_, err := w.password.Resolve(w.ctx, bearerOf(issued.Token))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
	w.changeAccount(annID, allowing("192.0.2.1/32"))
	if _, err := w.password.Resolve(w.ctx, bearerOf(issued.Token)); err != nil {
		t.Error(err)
	}
}

func TestARevocationIsAtOnceAndIdempotent(t *testing.T) {
	w := newWorld(t)
	kept, issued := w.login("ann"), w.login("ann")
	for range 3 {
		must(t, w.password.Revoke(w.ctx, issued.Token.Reveal()))
		_, err := w.resolve(issued.Token)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	}
	if _, err := w.resolve(kept.Token); err != nil {
		t.Errorf("another token of the account was revoked: %v", err)
	}
	if n := w.count(auth.RevocationEvent, true); n != 1 {
		t.Errorf("%d revocations were audited", n)
	}
	if e := w.last(); !e.OK || e.Subject != annID || e.TokenID != issued.ID || e.Dialect != "management" || e.Realm != realm {
		t.Errorf("audited was %+v", e)
	}
}

func TestRevocationsAtOnceAreAuditedOnce(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := w.password.Revoke(w.ctx, issued.Token.Reveal()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := w.count(auth.RevocationEvent, true); n != 1 {
		t.Errorf("%d revocations were audited", n)
	}
}

func TestARevocationLeavesAloneWhatIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	byKey := w.loginKey()
	must(t, w.password.Revoke(w.ctx, byKey.Token.Reveal()))
	if _, err := w.resolve(byKey.Token); err != nil {
		t.Errorf("a token of another dialect was revoked: %v", err)
	}
	elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "timed_login"})
	must(t, elsewhere.Revoke(w.ctx, byKey.Token.Reveal()))
	if _, err := w.resolve(byKey.Token); err != nil {
		t.Errorf("a token of another realm was revoked: %v", err)
	}
	for _, text := range []string{"", "nothing that was issued", byKey.ID, annKey, annID, strings.ToUpper(byKey.Token.Reveal())} {
		must(t, w.keys.Revoke(w.ctx, text))
	}
	if _, err := w.resolve(byKey.Token); err != nil {
		t.Errorf("it was revoked by something else than its text: %v", err)
	}
	if n := w.count(auth.RevocationEvent, true); n != 0 {
		t.Errorf("%d revocations were audited", n)
	}
}

func TestAnExpiredTokenIsLeftAloneByARevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		svc := w.service(session.Config{Dialect: "timed_login", TTL: time.Minute, Remember: time.Hour})
		issued, err := svc.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
		must(t, err)
		w.clock.Store(int64(time.Minute))
		must(t, svc.Revoke(w.ctx, issued.Token.Reveal()))
		_, err = svc.Resolve(w.ctx, bearerOf(issued.Token))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
		if n := w.count(auth.RevocationEvent, true); n != 0 {
			t.Errorf("%d revocations were audited", n)
		}
	})
}

func TestARevocationThatCouldNotBeDoneIsNoSuccess(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	must(t, w.Close())
	err := w.password.Revoke(w.ctx, issued.Token.Reveal())
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	if n := w.count(auth.RevocationEvent, true); n != 0 {
		t.Errorf("%d revocations were audited", n)
	}
}

// allowing returns a change of an account's allow-list.
func allowing(prefix string) func(*store.Account) {
	return func(a *store.Account) { a.Addresses = prefixes(prefix) }
}
