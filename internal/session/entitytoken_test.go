package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestAnEntityTokenIsGivenBackTheSameAgainAndAgain(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		w.wantNone(place)
		made := w.create(place)
		if len(made.Token.Reveal()) < 22 || !made.Expires.Equal(made.Issued.Add(48*time.Hour)) || made.ID == "" {
			t.Errorf("made %+v", made)
		}
		for range 3 {
			got, err := w.EntityToken(w.ctx, place)
			must(t, err)
			again := w.create(place)
			if got.Token != made.Token || again.Token != made.Token || got.ID != made.ID || !got.Expires.Equal(made.Expires) {
				t.Errorf("got %+v and %+v, want %+v", got, again, made)
			}
			w.sleep(time.Hour)
		}
		w.wantGood(made.Token)
		if n := len(w.rows()); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestEachUserOfEachEntityHasATokenOfTheirOwn(t *testing.T) {
	w := inMemory(t)
	seen := map[auth.Secret]bool{}
	for _, p := range []session.Place{place, {Tenant: betaID, Account: annID}, {Tenant: acmeID, Account: doraID}} {
		seen[w.create(p).Token] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d tokens in three places", len(seen))
	}
	w.wantNone(session.Place{Tenant: betaID, Account: doraID})
	must(t, w.DeleteEntityToken(w.ctx, place))
	w.wantNone(place)
	if n := len(w.rows()); n != 2 {
		t.Errorf("%d tokens are left", n)
	}
}

func TestADeletedEntityTokenIsGoneAtOnce(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		made := w.create(place)
		w.wantGood(made.Token)
		must(t, w.DeleteEntityToken(w.ctx, place))
		w.wantDead(made.Token)
		w.wantNone(place)
		if err := w.DeleteEntityToken(w.ctx, place); !auth.IsNotFound(err) {
			t.Errorf("the second time: %v", err)
		}
		next := w.create(place)
		if next.Token == made.Token {
			t.Error("the token is revived")
		}
		w.wantDead(made.Token)
		w.wantGood(next.Token)
	})
}

func TestAnExpiredEntityTokenIsAbsentAndNeverRevived(t *testing.T) {
	onEachStore(t, session.Config{Overlap: time.Hour}, func(t *testing.T, w *entityWorld) {
		made := w.create(place)
		w.sleep(48*time.Hour - time.Millisecond)
		w.wantGood(made.Token)
		w.sleep(time.Millisecond)
		w.wantDead(made.Token)
		w.wantNone(place)
		later := w.now().Add(time.Hour)
		if err := w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Expires: &later}); !auth.IsNotFound(err) {
			t.Errorf("a change: %v", err)
		}
		for _, old := range []string{"", made.Token.Reveal()} {
			if _, err := w.RefreshEntityToken(w.ctx, place, old); !auth.IsNotFound(err) {
				t.Errorf("a refresh of %q: %v", old, err)
			}
		}
		if err := w.DeleteEntityToken(w.ctx, place); !auth.IsNotFound(err) {
			t.Errorf("a removal: %v", err)
		}
		next := w.create(place)
		if next.Token == made.Token {
			t.Error("the token is revived")
		}
		w.wantDead(made.Token)
		w.wantGood(next.Token)
	})
}

func TestNoStoreHoldsAnEntityTokenInClear(t *testing.T) {
	onEachStore(t, session.Config{Overlap: time.Hour}, func(t *testing.T, w *entityWorld) {
		first := w.create(place)
		second, err := w.RefreshEntityToken(w.ctx, place, "")
		must(t, err)
		for _, made := range []session.EntityToken{first, second} {
			text := made.Token.Reveal()
			printed := fmt.Sprintf("%+v", w.rows())
			for _, form := range []string{text, text[4:], base64.StdEncoding.EncodeToString([]byte(text)), fmt.Sprintf("%x", text)} {
				if w.onDisk([]byte(form)) {
					t.Errorf("%q is on the disk", form)
				}
			}
			wantNoSecret(t, printed, []string{text})
			for _, row := range w.rows() {
				if slices.Contains(append(row.Flags, row.ID, row.Slot, row.Family, string(row.Sealed)), text) {
					t.Errorf("the row is %+v", row)
				}
			}
		}
		if w.onDisk([]byte("SQLite format")) && !w.onDisk([]byte(first.ID)) {
			t.Error("the accessor is not on the disk either: the search finds nothing")
		}
		for _, row := range w.rows() {
			if (row.Slot == "") != (len(row.Sealed) == 0) {
				t.Errorf("sealed is what can be given back, and nothing else: %q has %d bytes", row.Slot, len(row.Sealed))
			}
		}
	})
}

func TestASealedTokenThatWasMovedToAnotherRowIsAFaultOfOurs(t *testing.T) {
	w := inMemory(t)
	w.create(place)
	other := session.Place{Tenant: acmeID, Account: doraID}
	w.create(other)
	rows := w.rows()
	rows[0].Sealed = rows[1].Sealed
	must(t, w.Sessions.ExchangeSession(w.ctx, rows[0]))
	failed := 0
	for _, p := range []session.Place{place, other} {
		if _, err := w.EntityToken(w.ctx, p); err != nil {
			wantRefusal(t, err, auth.Internal, "")
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d failed", failed)
	}
}

func TestOfFiftyCreationsAllGetTheSameToken(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		made := make([]session.EntityToken, 50)
		errs := atOnce(len(made), func(i int) (err error) {
			made[i], err = w.CreateEntityToken(w.ctx, place)
			return err
		})
		for i, err := range errs {
			must(t, err)
			if made[i].Token != made[0].Token || made[i].ID != made[0].ID {
				t.Fatalf("caller %d got another token", i)
			}
		}
		w.wantGood(made[0].Token)
		if n := len(w.rows()); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestOfFiftyRemovalsOneRemoves(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		w.create(place)
		errs := atOnce(50, func(int) error { return w.DeleteEntityToken(w.ctx, place) })
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !auth.IsNotFound(err) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d removed it", won)
		}
	})
}

// TestAnEntityTokenIsGoodForNothingElse than to stand beside a key of its
// entity.
func TestAnEntityTokenIsGoodForNothingElse(t *testing.T) {
	w := inMemory(t)
	text := w.create(place).Token.Reveal()
	for name, c := range map[string]bearer.Credential{
		"as a bearer token":         {Kind: auth.Bearer, Token: text},
		"in the query":              {Kind: auth.Query, Token: text},
		"as an API key":             {Kind: auth.APIKey, Key: text},
		"as a user token":           {Kind: auth.KeyUserToken, Key: acmeKey, User: "ann", Token: text},
		"beside a key of nobody":    {Kind: auth.KeyUserToken, Key: "nobody", Entity: text},
		"beside a foreign key":      {Kind: auth.KeyUserToken, Key: betaKey, Entity: text},
		"in place of a user token":  {Kind: auth.KeyUserToken, Key: acmeKey, Entity: userToken("Ann")},
		"beside itself as the key":  {Kind: auth.KeyUserToken, Key: text, Entity: text},
		"with a space at the end":   {Kind: auth.KeyUserToken, Key: acmeKey, Entity: text + " "},
		"beside a disabled account": {Kind: auth.KeyUserToken, Key: acmeKey, User: "bob", Token: userToken("bob")},
	} {
		if v, err := w.deps.Resolver.Resolve(w.ctx, realm, c); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	for _, key := range []string{acmeKey, gatewayKey, ownKey} {
		if _, err := w.proxied(key, auth.NewSecret(text)); err != nil {
			t.Errorf("beside %s: %v", key, err)
		}
	}
	if _, err := w.deps.Resolver.Resolve(w.ctx, "elsewhere", bearer.Credential{Kind: auth.KeyUserToken, Key: gatewayKey, Entity: text}); err == nil {
		t.Error("it is good in another realm")
	}
}

func TestWhatItRestsOnTakesAnEntityTokenAlong(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*entityWorld) error
		reason auth.Reason
		stays  bool // the row
	}{
		"the entity is deleted":            {func(w *entityWorld) error { return w.Tenants.DeleteTenant(w.ctx, realm, acmeID) }, auth.ReasonUnknown, false},
		"the account is deleted":           {func(w *entityWorld) error { return w.Accounts.DeleteAccount(w.ctx, realm, annID) }, auth.ReasonUnknown, false},
		"the account's tokens are revoked": {revokeAllOfAnn, auth.ReasonUnknown, false},
		"the account is disabled":          {disableAnn, auth.ReasonDisabled, true},
		"the membership ends":              {func(w *entityWorld) error { return w.Memberships.DeleteMembership(w.ctx, realm, annID, acmeID) }, auth.ReasonUnknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEntityWorld(t, session.Config{Overlap: time.Hour}, inMemoryStore)
			first := w.create(place)
			second, err := w.RefreshEntityToken(w.ctx, place, "")
			must(t, err)
			w.wantGood(first.Token)
			w.wantGood(second.Token)
			must(t, c.end(w))
			for _, made := range []session.EntityToken{first, second} {
				_, err := w.proxied(gatewayKey, made.Token)
				wantRefusal(t, err, auth.InvalidCredential, c.reason)
			}
			if n := len(w.rows()); (n > 0) != c.stays {
				t.Errorf("%d rows are left", n)
			}
		})
	}
}

func revokeAllOfAnn(w *entityWorld) error {
	_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{Subject: annID})
	return err
}

func disableAnn(w *entityWorld) error {
	a, err := w.Accounts.Account(w.ctx, realm, annID)
	if err != nil {
		return err
	}
	a.Disabled = true
	return w.Accounts.UpdateAccount(w.ctx, a)
}

// racingSessions does something right before rows are added.
type racingSessions struct {
	store.Sessions
	before func()
}

func (r racingSessions) InsertSession(ctx context.Context, rows ...store.Session) error {
	r.before()
	return r.Sessions.InsertSession(ctx, rows...)
}

// TestATokenIsWithdrawnWhoseMakerLostTheirOwnMeanwhile: a password is changed
// because the user token was stolen, while the thief makes an entity token.
func TestATokenIsWithdrawnWhoseMakerLostTheirOwnMeanwhile(t *testing.T) {
	w := inMemory(t)
	p, err := w.EntityPlace(w.ctx, headers(acmeKey, "Ann"), "Acme Ltd", "Ann")
	must(t, err)
	rows := w.Sessions
	w.deps.Store.Sessions = racingSessions{rows, func() { must(t, revokeAllOfAnn(w)) }}
	made, err := w.CreateEntityToken(w.ctx, p)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonRevoked)
	if !made.Token.Empty() || len(w.rows()) != 0 || len(w.events) != 0 {
		t.Errorf("made %+v, %d rows, audited %+v", made, len(w.rows()), w.events)
	}
}

// failingSessions is a store out of reach.
type failingSessions struct{ store.Sessions }

func (failingSessions) Session(context.Context, string, store.SessionRef) (store.Session, error) {
	return store.Session{}, auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("out of reach"))
}

func TestAStoreOutOfReachIsNobodysFault(t *testing.T) {
	w := inMemory(t)
	w.create(place)
	w.deps.Store.Sessions = failingSessions{w.Sessions}
	calls := map[string]func() error{
		"get":     func() error { _, err := w.EntityToken(w.ctx, place); return err },
		"create":  func() error { _, err := w.CreateEntityToken(w.ctx, place); return err },
		"refresh": func() error { _, err := w.RefreshEntityToken(w.ctx, place, ""); return err },
		"delete":  func() error { return w.DeleteEntityToken(w.ctx, place) },
		"change":  func() error { return w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{}) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { wantRefusal(t, call(), auth.Unavailable, auth.ReasonStore) })
	}
}

func TestEveryTokenThatIsMadeOrWithdrawnIsAuditedOnce(t *testing.T) {
	w := inMemory(t)
	p, err := w.EntityPlace(w.ctx, headers(acmeKey, "eve"), "Acme Ltd", "ann")
	must(t, err)
	first := w.create(p)
	w.create(p) // is there already
	second, err := w.RefreshEntityToken(w.ctx, p, first.Token.Reveal())
	must(t, err)
	_, err = w.RefreshEntityToken(w.ctx, p, first.Token.Reveal())
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
	must(t, w.ChangeEntityToken(w.ctx, p, session.EntityTokenChange{Flags: &[]string{"a"}}))
	must(t, w.DeleteEntityToken(w.ctx, p))
	want := []auth.Event{
		{Kind: auth.LoginEvent, TokenID: first.ID}, {Kind: auth.LoginEvent, TokenID: second.ID}, {Kind: auth.RevocationEvent, TokenID: second.ID},
	}
	if len(w.events) != len(want) {
		t.Fatalf("audited %+v", w.events)
	}
	for i, e := range w.events {
		if e.Kind != want[i].Kind || e.TokenID != want[i].TokenID || !e.OK || e.Subject != annID || e.Name != "eve" ||
			e.Dialect != "entity_token" || e.Realm != realm || e.KeyID == 0 || e.Address.String() != "192.0.2.1" {
			t.Errorf("audited %+v", e)
		}
	}
	wantNoSecret(t, printed(w.events), []string{first.Token.Reveal(), second.Token.Reveal(), acmeKey, userToken("eve")})
}
