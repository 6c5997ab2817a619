package session_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

// overlapping is an oauth2 block for clients that repeat themselves.
var overlapping = session.Config{TTL: time.Hour, RefreshTTL: 30 * 24 * time.Hour, Overlap: 10 * time.Second}

func TestARefreshGivesTheNextTokens(t *testing.T) {
	forEachStore(t, usual, func(t *testing.T, w *clientWorld) {
		first := w.tokens("orders", "stock")
		w.pass(time.Minute)
		next := w.traded(first)
		if next.Access.Token.Equal(first.Access.Token) || next.Refresh.Token.Equal(first.Refresh.Token) || next.Access.TTL != time.Hour {
			t.Errorf("next are %+v", next)
		}
		w.wantGood(first.Access.Token, next.Access.Token)
		if p, _ := w.guard(next.Access.Token); p.Scopes.String() != "orders stock" || p.Tenant != clientTenant || p.KeyID != 1 {
			t.Errorf("the token is one of %+v", p)
		}
		e := w.events[len(w.events)-1]
		if e.Kind != auth.RefreshEvent || !e.OK || e.TokenID != next.Access.ID || e.Name != w.annClient || e.Subject != annID {
			t.Errorf("audited was %+v", e)
		}
		wantNoSecret(t, printed(w.events), w.secretsIn(first, next))
	})
}

// TestARefreshNarrowsAndNeverWidens: what the refresh token is good for stays.
func TestARefreshNarrowsAndNeverWidens(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens("orders", "stock")
	for _, wide := range []string{"prices", "admin"} { // one of the key's and one of nobody's
		got, err := w.trade(first, "orders", wide)
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonScope)
		wantNothing(t, got.Access)
	}
	narrow := w.traded(first, "stock") // what was refused had no effect
	if s := narrow.Access.Principal.Scopes.String(); s != "stock" {
		t.Errorf("granted %q", s)
	}
	if s := w.traded(narrow).Access.Principal.Scopes.String(); s != "orders stock" {
		t.Errorf("the refresh token was narrowed to %q", s)
	}
}

// TestNoRefreshMovesTheEndOfAFamily (T05).
func TestNoRefreshMovesTheEndOfAFamily(t *testing.T) {
	forEachStore(t, session.Config{TTL: time.Hour, RefreshTTL: 3 * time.Hour}, func(t *testing.T, w *clientWorld) {
		tokens := w.tokens()
		ends := tokens.Refresh.Expires
		if d := ends.Sub(store.Precise(w.now())); d != 3*time.Hour {
			t.Fatalf("it ends after %v", d)
		}
		for range 3 {
			w.pass(45 * time.Minute)
			tokens = w.traded(tokens)
			if !tokens.Refresh.Expires.Equal(ends) {
				t.Fatalf("it ends at %v, then at %v", ends, tokens.Refresh.Expires)
			}
		}
		w.pass(44 * time.Minute) // one is left
		tokens = w.traded(tokens)
		if tokens.Access.Expires.After(ends) || tokens.Access.TTL > time.Minute {
			t.Errorf("an access token outlives its family: %+v", tokens.Access)
		}
		w.pass(59*time.Second + time.Millisecond)
		_, err := w.trade(tokens)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
		w.pass(time.Second)
		_, err = w.trade(tokens)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		w.wantDead(tokens.Access.Token)
	})
}

// TestAReplayEndsTheFamily (T02, G6), and no other.
func TestAReplayEndsTheFamily(t *testing.T) {
	forEachStore(t, usual, func(t *testing.T, w *clientWorld) {
		other := w.tokens()
		first := w.tokens()
		second := w.traded(first)
		third := w.traded(second)
		w.pass(29 * 24 * time.Hour) // a used token is known for as long as its family lasts
		for i, used := range []session.Tokens{first, second, third} {
			_, err := w.trade(used)
			want := auth.ReasonUnknown
			if i == 0 {
				want = auth.ReasonReplayed
			}
			wantRefusal(t, err, auth.InvalidCredential, want)
		}
		if n := w.count(auth.RevocationEvent, true); n != 1 {
			t.Errorf("%d revocations were audited", n)
		}
		if n := w.count(auth.RefreshEvent, false); n != 3 {
			t.Errorf("%d failed refreshes were audited", n)
		}
		w.traded(other)
	})
}

func TestAReplayTakesLiveTokensAlong(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	second := w.traded(first)
	w.wantGood(first.Access.Token, second.Access.Token)
	_, err := w.trade(first)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
	w.wantDead(first.Access.Token, second.Access.Token)
	if w.live() != 0 {
		t.Errorf("%d rows are left", w.live())
	}
}

// TestAReplayThatCannotBeActedUponIsNotForgotten.
func TestAReplayThatCannotBeActedUponIsNotForgotten(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	second := w.traded(first)
	w.rows.revoke = down
	_, err := w.trade(first)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	w.rows.revoke = nil
	_, err = w.trade(first)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
	w.wantDead(second.Access.Token)
}

// TestOfFiftyUsesOfARefreshTokenOneWins (T01, G6). All others are replays, so the winner
// keeps nothing either: which of them was the client is not known.
func TestOfFiftyUsesOfARefreshTokenOneWins(t *testing.T) {
	forEachStore(t, usual, func(t *testing.T, w *clientWorld) {
		for range 4 {
			first, c := w.tokens(), w.ann()
			won, lost := w.race(50, func(int) *session.Service { return w.Service }, c, first)
			if len(won) != 1 || lost != 49 {
				t.Fatalf("%d won, %d lost", len(won), lost)
			}
			w.wantDead(first.Access.Token, won[0].Access.Token)
			_, err := w.trade(won[0])
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
			if w.live() != 0 {
				t.Errorf("%d rows are left", w.live())
			}
		}
	})
}

// race refreshes n times at once and returns what was given, and how many were
// refused as they should be.
func (w *clientWorld) race(n int, node func(i int) *session.Service, c session.Client, first session.Tokens) (won []session.Tokens, lost int) {
	w.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			next, err := node(i).RefreshTokens(w.ctx, c, first.Refresh.Token, nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, next)
			case auth.CodeOf(err) == auth.InvalidCredential && next.Access.Token.Empty() && next.Refresh.Token.Empty():
				lost++
			default:
				w.t.Errorf("got %+v, %v", next, err)
			}
		})
	}
	close(start)
	all.Wait()
	return won, lost
}

// TestOfFiftyUsesOnTwoNodesOneWins: two processes on one file.
func TestOfFiftyUsesOnTwoNodesOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	w := openClientWorld(t, usual, func(w *clientWorld) store.Store { return openSQLite(t, path, w.now) })
	second := w.deps
	second.Store = openSQLite(t, path, w.now)
	nodes := []*session.Service{w.Service, session.New(&second, session.Config{
		Realm: realm, Dialect: "oauth2", TTL: usual.TTL, RefreshTTL: usual.RefreshTTL,
	})}
	for range 3 {
		first := w.tokens()
		won, lost := w.race(50, func(i int) *session.Service { return nodes[i%2] }, w.ann(), first)
		if len(won) != 1 || lost != 49 {
			t.Fatalf("%d won, %d lost", len(won), lost)
		}
		if w.live() != 0 {
			t.Errorf("%d rows are left", w.live())
		}
	}
}

// TestALoserThatReadTheTokenUnusedIsAReplayToo: what counts is the order of
// the writes.
func TestALoserThatReadTheTokenUnusedIsAReplayToo(t *testing.T) {
	w := newClientWorld(t, usual)
	first, c := w.tokens(), w.ann()
	var winner session.Tokens
	w.rows.beforeExchange = once(func() {
		var err error
		winner, err = w.RefreshTokens(w.ctx, c, first.Refresh.Token, nil)
		must(t, err)
	})
	got, err := w.RefreshTokens(w.ctx, c, first.Refresh.Token, nil)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
	wantNothing(t, got.Access)
	w.wantDead(winner.Access.Token)
}

func TestARefreshThatARevocationOvertakesGivesNothing(t *testing.T) {
	for name, revoke := range map[string]func(*clientWorld, session.Tokens) error{
		"of the family": func(w *clientWorld, first session.Tokens) error {
			return w.RevokeToken(w.ctx, w.ann(), first.Refresh.Token)
		},
		"of all that the account has": func(w *clientWorld, _ session.Tokens) error {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
			return err
		},
	} {
		for how, cfg := range map[string]session.Config{"the first use": usual, "a repetition within the overlap": overlapping} {
			t.Run(name+", "+how, func(t *testing.T) {
				w := newClientWorld(t, cfg)
				first, c := w.tokens(), w.ann()
				if cfg.Overlap > 0 {
					w.traded(first)
				}
				overtake := once(func() { must(t, revoke(w, first)) })
				w.rows.beforeExchange, w.rows.beforeInsert = overtake, overtake
				got, err := w.RefreshTokens(w.ctx, c, first.Refresh.Token, nil)
				wantRefusal(t, err, auth.InvalidCredential, auth.ReasonRevoked)
				wantNothing(t, got.Access)
				wantNothing(t, got.Refresh)
				if w.live() != 0 {
					t.Errorf("%d rows are left", w.live())
				}
			})
		}
	}
}

// TestWithinTheOverlapARepetitionGetsAnotherPair of the same family.
func TestWithinTheOverlapARepetitionGetsAnotherPair(t *testing.T) {
	forEachStore(t, overlapping, func(t *testing.T, w *clientWorld) {
		first := w.tokens()
		second := w.traded(first)
		w.pass(9 * time.Second)
		again := w.traded(first)
		if again.Access.Token.Equal(second.Access.Token) || again.Refresh.Token.Equal(second.Refresh.Token) || !again.Refresh.Expires.Equal(first.Refresh.Expires) {
			t.Errorf("got %+v", again)
		}
		w.wantGood(first.Access.Token, second.Access.Token, again.Access.Token)
		w.pass(999 * time.Millisecond)
		w.traded(first) // the overlap counts from the first use alone
		w.pass(time.Millisecond)
		_, err := w.trade(first)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
		w.wantDead(first.Access.Token, second.Access.Token, again.Access.Token)
		if w.live() != 0 {
			t.Errorf("%d rows are left", w.live())
		}
	})
}

func TestWithinTheOverlapAllOfFiftyGetTokens(t *testing.T) {
	forEachStore(t, overlapping, func(t *testing.T, w *clientWorld) {
		first := w.tokens()
		won, lost := w.race(50, func(int) *session.Service { return w.Service }, w.ann(), first)
		if len(won) != 50 || lost != 0 {
			t.Fatalf("%d won, %d lost", len(won), lost)
		}
		for _, next := range won {
			w.wantGood(next.Access.Token)
		}
		must(t, w.RevokeToken(w.ctx, w.ann(), won[7].Refresh.Token))
		for _, next := range won {
			w.wantDead(next.Access.Token)
		}
	})
}

// TestAClockThatWasSetBackDoesNotLengthenTheOverlap (G18).
func TestAClockThatWasSetBackDoesNotLengthenTheOverlap(t *testing.T) {
	for name, cfg := range map[string]session.Config{"without one": usual, "with one": overlapping} {
		t.Run(name, func(t *testing.T) {
			w := newClientWorld(t, cfg)
			first := w.tokens()
			w.pass(time.Hour)
			w.traded(first)
			w.pass(-11 * time.Second)
			_, err := w.trade(first)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
		})
	}
}

// TestARefreshTokenOfAnotherIsLeftAlone (T04).
func TestARefreshTokenOfAnotherIsLeftAlone(t *testing.T) {
	for name, thief := range map[string]func(*clientWorld) session.Client{
		"another account's client":      func(w *clientWorld) session.Client { return w.as(w.bobClient, bobSecret) },
		"another key of the account":    func(w *clientWorld) session.Client { return w.as(w.annClient2, clientSecret2) },
		"a key of the tenant, no less":  func(w *clientWorld) session.Client { return w.as(w.tenantClient, tenantSecret) },
		"nobody, as the zero client is": func(*clientWorld) session.Client { return session.Client{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			first := w.tokens()
			got, err := w.RefreshTokens(w.ctx, thief(w), first.Refresh.Token, nil)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
			wantNothing(t, got.Access)
			second := w.traded(first) // it was not used up
			_, err = w.RefreshTokens(w.ctx, thief(w), first.Refresh.Token, nil)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
			w.wantGood(second.Access.Token) // nor does a stranger's replay end anything
		})
	}
}

func TestARefreshTokenOfAnotherDialectOrRealmIsNone(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	cfg := usual
	cfg.Dialect = "entity_token"
	_, err := w.block(cfg).RefreshTokens(w.ctx, w.ann(), first.Refresh.Token, nil)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
	cfg.Realm = "elsewhere"
	_, err = w.block(cfg).RefreshTokens(w.ctx, w.ann(), first.Refresh.Token, nil)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	w.traded(first)
}

func TestATextThatIsNoRefreshTokenIsUnknown(t *testing.T) {
	w := newClientWorld(t, usual)
	for _, text := range []string{"", "x", clientSecret, "ght_AAAAAAAAAAAAAAAAAAAAAA", w.annClient} {
		_, err := w.RefreshTokens(w.ctx, w.ann(), auth.NewSecret(text), nil)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	}
}

// TestAChangeOfWhatTheClientMayEndsItsRefreshTokens (T03). What ends the client
// itself is in TestEveryClientThatIsNotGoodCostsTheSame.
func TestAChangeOfWhatTheClientMayEndsItsRefreshTokens(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*clientWorld)
		reason auth.Reason
	}{
		{"a role is taken", func(w *clientWorld) { w.editAccount(annID, func(a *store.Account) { a.Roles = nil }) }, auth.ReasonRevoked},
		{"a role is given", func(w *clientWorld) {
			w.editAccount(annID, func(a *store.Account) { a.Roles = append(a.Roles, "admin") })
		}, auth.ReasonRevoked},
		{"a role in the tenant is taken", func(w *clientWorld) {
			must(w.t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: clientTenant}))
		}, auth.ReasonRevoked},
		{"a scope of the key is taken", func(w *clientWorld) {
			w.editKey(w.annClient, func(k *store.Key) { k.Scopes = k.Scopes[:2] })
		}, auth.ReasonRevoked},
		{"a role moves to the tenant", func(w *clientWorld) {
			must(w.t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: clientTenant, Roles: []string{"buyer", "user"}}))
			w.editAccount(annID, func(a *store.Account) { a.Roles = nil })
		}, auth.ReasonRevoked},
		{"the password is changed, which ends all sessions", func(w *clientWorld) {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
			must(w.t, err)
		}, auth.ReasonUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			first := w.tokens()
			c.change(w)
			_, err := w.trade(first)
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			if i, err := w.Introspect(w.ctx, w.ann(), first.Refresh.Token); err != nil || i.Active {
				t.Errorf("introspected it is %+v, %v", i, err)
			}
			w.traded(w.tokens()) // who comes anew gets what holds now
		})
	}
}

func TestAChangeOfTheProfileEndsNothing(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	w.editAccount(annID, func(a *store.Account) { a.Email, a.Profile.Title = "ann@example.com", "Dr" })
	w.editKey(w.annClient, func(k *store.Key) { k.Name = "till" })
	w.traded(first)
}

func TestARefreshIsStoredBeforeItIsAnswered(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	w.rows.beforeExchange = down
	got, err := w.trade(first)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	wantNothing(t, got.Access)
	w.rows.beforeExchange = nil
	w.traded(first)
}

// TestTheRowsOfAFamilyGoWithIt: nothing is kept for ever.
func TestTheRowsOfAFamilyGoWithIt(t *testing.T) {
	w := openClientWorld(t, usual, func(w *clientWorld) store.Store { return memstore.New(w.now) })
	tokens := w.tokens()
	for range 5 {
		tokens = w.traded(tokens)
	}
	w.pass(30*24*time.Hour + time.Second)
	n, err := w.Sessions.SweepSessions(w.ctx, 1000)
	must(t, err)
	if n != 12 || w.live() != 0 {
		t.Errorf("%d rows went, %d are left", n, w.live())
	}
}

var errOdd = errors.New("odd")

// TestAnOddFaultIsNotTheClients.
func TestAnOddFaultIsNotTheClients(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	w.rows.beforeExchange = func() error { return fmt.Errorf("exchange: %w", errOdd) }
	_, err := w.trade(first)
	if auth.CodeOf(err) != auth.Internal || !errors.Is(err, errOdd) {
		t.Errorf("got %v", err)
	}
}

// TestAReplayHasConsequencesThoughItsCallerLeaves: who replays a token does not
// decide that.
func TestAReplayHasConsequencesThoughItsCallerLeaves(t *testing.T) {
	w := newClientWorld(t, usual)
	first, c := w.tokens(), w.ann()
	second := w.traded(first)
	ctx, cancel := context.WithCancel(w.ctx)
	w.rows.revoke = func() error { cancel(); return nil }
	_, err := w.RefreshTokens(ctx, c, first.Refresh.Token, nil)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonReplayed)
	w.wantDead(first.Access.Token, second.Access.Token)
}
