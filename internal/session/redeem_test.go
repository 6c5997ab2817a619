package session_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestALoginTokenIsTradedForASession(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		for name, byID := range map[string]bool{"by its id": true, "by itself": false} {
			l := w.link(w.as("ann"))
			id := l.ID
			if !byID {
				id = ""
			}
			issued, err := w.Redeem(w.ctx, id, l.Token, false)
			must(t, err)
			claims, err := w.deps.Signers.Verify(w.ctx, realm, issued.Token.Reveal())
			must(t, err)
			p := w.caller(issued)
			if claims.Subject != l.Identity || claims.ID != issued.ID || p.Subject != annID || p.TokenID != issued.ID {
				t.Errorf("%s: claims %+v of %+v", name, claims, p)
			}
			e := w.events[len(w.events)-1]
			if e.Kind != auth.LoginEvent || !e.OK || e.Subject != annID || e.TokenID != issued.ID || e.Dialect != "login_token" {
				t.Errorf("%s: the log was told %+v", name, e)
			}
			// Once, and gone at once.
			got, err := w.Redeem(w.ctx, id, l.Token, false)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
			wantNothing(t, got)
			if found := w.links(w.as("ann")); len(found) != 0 {
				t.Errorf("%s: still found are %v", name, found)
			}
		}
	})
}

func TestARedeemThatFails(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l, other := w.link(w.as("ann")), w.link(w.as("zoe"))
		access, err := w.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		must(t, err)
		for name, c := range map[string]struct{ id, text string }{
			"an unknown id":                  {"00000000-0000-4000-8000-000000000000", l.Token.Reveal()},
			"an id that is none":             {"x", l.Token.Reveal()},
			"an id of other bytes":           {"\xff\x00", l.Token.Reveal()},
			"another's token":                {l.ID, other.Token.Reveal()},
			"no token":                       {l.ID, ""},
			"no token and no id":             {"", ""},
			"a token in upper case":          {l.ID, "A" + l.Token.Reveal()[1:]},
			"an unknown token":               {"", "00000000000000000000000000000000"},
			"an access token by its id":      {access.ID, access.Token.Reveal()},
			"an access token":                {"", access.Token.Reveal()},
			"the id of an access token":      {access.ID, l.Token.Reveal()},
			"the token as id":                {l.Token.Reveal(), l.Token.Reveal()},
			"an id with braces":              {"{" + l.ID + "}", l.Token.Reveal()},
			"the id of a row and its digest": {l.ID, auth.DigestOf(l.Token.Reveal()).String()},
		} {
			got, err := w.Redeem(w.ctx, c.id, auth.NewSecret(c.text), false)
			if e := auth.AsError(err); e == nil || e.Code != auth.InvalidCredential || e.Reason == auth.ReasonExpired {
				t.Errorf("%s: %v", name, err)
			}
			wantNothing(t, got)
		}
		if last := w.events[len(w.events)-1]; last.Kind != auth.LoginEvent || last.OK {
			t.Errorf("the log was told %+v", last)
		}
		// None of it counted as an attempt, and none of it used the token up.
		for range 200 {
			_, _ = w.Redeem(w.ctx, l.ID, auth.NewSecret("wrong"), false)
		}
		w.as("ann")
		_, err = w.redeem(l)
		must(t, err)
	})
}

func TestALoginTokenOfAnotherPlaceIsNothing(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l := w.link(w.as("ann"))
		for name, change := range map[string]func(*session.Config){
			"of another realm":   func(c *session.Config) { c.Realm = "other" },
			"of another dialect": func(c *session.Config) { c.Dialect = "another" },
		} {
			c := linkConfig
			change(&c)
			for _, id := range []string{l.ID, ""} {
				_, err := session.New(&w.deps, c).Redeem(w.ctx, id, l.Token, false)
				if e := auth.AsError(err); e == nil || e.Code != auth.InvalidCredential || e.Reason != auth.ReasonUnknown {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	})
}

func TestAnExpiredLoginTokenIsToldApartOnceAndGone(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l := w.link(w.as("ann"))
		w.clock.Store(int64(l.Expires.Sub(worldBegan)))
		_, err := w.Redeem(w.ctx, l.ID, auth.NewSecret("wrong"), false)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown) // told to nobody else
		_, err = w.redeem(l)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
		_, err = w.redeem(l)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		if found := w.links(w.as("ann")); len(found) != 0 {
			t.Errorf("still found are %v", found)
		}
	})
}

// TestALoginTokenStandsOnWhatItWasMadeOf: whatever of it goes, the token is
// nothing.
func TestALoginTokenStandsOnWhatItWasMadeOf(t *testing.T) {
	for name, c := range map[string]struct {
		key    string
		reason auth.Reason
		spoil  func(*linkWorld, session.LoginToken)
	}{
		"the account is disabled": {"", auth.ReasonDisabled, func(w *linkWorld, _ session.LoginToken) {
			w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
		}},
		"the account is deleted": {"", auth.ReasonUnknown, func(w *linkWorld, _ session.LoginToken) {
			must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID))
		}},
		"the account's tokens are revoked": {"", auth.ReasonUnknown, func(w *linkWorld, _ session.LoginToken) {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
			must(w.t, err)
		}},
		"the account admits other addresses": {"", auth.ReasonAddress, func(w *linkWorld, _ session.LoginToken) {
			w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
		}},
		"the key is revoked": {annKey, auth.ReasonRevoked, func(w *linkWorld, _ session.LoginToken) {
			k, err := w.Keys.Key(w.ctx, realm, w.keyIDs[annKey])
			must(w.t, err)
			k.Revoked = w.now()
			must(w.t, w.Keys.UpdateKey(w.ctx, k))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			withLinks(t, func(t *testing.T, w *linkWorld) {
				var p *auth.Principal
				if p = w.as("ann"); c.key != "" {
					p = w.with(c.key)
				}
				l := w.link(p)
				c.spoil(w, l)
				got, err := w.redeem(l)
				if e := auth.AsError(err); e == nil || e.Code != auth.InvalidCredential || (e.Reason != c.reason && e.Reason != auth.ReasonUnknown) {
					t.Errorf("%v, want %v", err, c.reason)
				}
				wantNothing(t, got)
			})
		})
	}
}

func TestASessionDiesWithTheKeyThatMadeItsLoginToken(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		issued, err := w.redeem(w.link(w.with(annKey)))
		must(t, err)
		w.caller(issued)
		k, err := w.Keys.Key(w.ctx, realm, w.keyIDs[annKey])
		must(t, err)
		k.Revoked = w.now()
		must(t, w.Keys.UpdateKey(w.ctx, k))
		_, err = w.Resolve(w.ctx, bearerOf(issued.Token))
		if auth.AsError(err) == nil {
			t.Error("it lives on")
		}
	})
}

func TestOfRedeemsAtOnceOneWins(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		for _, id := range []bool{true, false} {
			l := w.link(w.as("ann"), annID)
			var won, lost atomic.Int32
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					by := ""
					if id {
						by = l.ID
					}
					issued, err := w.Redeem(w.ctx, by, l.Token, true)
					switch {
					case err == nil:
						won.Add(1)
						w.caller(issued)
					case auth.CodeOf(err) == auth.InvalidCredential:
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 49 {
				t.Errorf("%d won and %d lost", won.Load(), lost.Load())
			}
		}
	})
}

// TestARedeemBesideChangesWins: a change is no reason to lose the token.
func TestARedeemBesideAChangeWins(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		for range 20 {
			l := w.link(ann)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := w.change(ann, l, session.LoginTokenChange{Expires: l.Expires.Add(time.Minute)})
				if err != nil && !auth.IsNotFound(err) {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := w.redeem(l); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if _, err := w.redeem(l); err == nil {
				t.Error("the change revived it")
			}
		}
	})
}

func TestARedeemMovesTheIdentity(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann, chef := w.as("ann"), w.as("chef")
		zoes := zoeID
		associated := func() session.LoginToken {
			l, err := w.change(chef, w.link(ann), session.LoginTokenChange{Associate: &zoes})
			must(t, err)
			return l
		}
		stays := associated()
		issued, err := w.Redeem(w.ctx, stays.ID, stays.Token, false)
		if must(t, err); issued.Principal.Subject != annID {
			t.Errorf("unasked the session is of %s", issued.Principal.Subject)
		}
		i, err := w.Identities.Identity(w.ctx, realm, stays.Identity)
		if must(t, err); i.Account != annID {
			t.Errorf("unasked the identity moved to %s", i.Account)
		}
		moves := associated()
		issued, err = w.Redeem(w.ctx, moves.ID, moves.Token, true)
		must(t, err)
		p := w.caller(issued)
		if p.Subject != zoeID || p.Username != "zoe" {
			t.Errorf("the session is of %+v", p)
		}
		i, err = w.IdentityOf(w.ctx, p)
		if must(t, err); i.ID != moves.Identity || i.Account != zoeID || i.Updated.IsZero() {
			t.Errorf("the identity is %+v", i)
		}
	})
}

func TestAnIdentityMovesToNoAccountThatMayNotLogIn(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		chef := w.as("chef")
		for _, spoil := range []func(){
			func() { w.changeAccount(zoeID, func(a *store.Account) { a.Disabled = true }) },
			func() { must(t, w.Accounts.DeleteAccount(w.ctx, realm, zoeID)) },
		} {
			l := w.link(chef, zoeID)
			spoil()
			got, err := w.Redeem(w.ctx, l.ID, l.Token, true)
			if e := auth.AsError(err); e == nil || e.Code != auth.InvalidCredential {
				t.Errorf("%v", err)
			}
			wantNothing(t, got)
			i, err := w.Identities.Identity(w.ctx, realm, l.Identity)
			if must(t, err); i.Account != chefID {
				t.Errorf("it moved to %s", i.Account)
			}
		}
	})
}
