package session_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

// ann is ann as a verified caller.
var ann = &auth.Principal{Realm: realm, Subject: annID}

func (w *world) change(c session.ProfileChange) session.User {
	w.t.Helper()
	u, err := w.password.ChangeUser(w.ctx, ann, c)
	must(w.t, err)
	return u
}

func email(text string) session.ProfileChange { return session.ProfileChange{Email: &text} }

func TestAUserIsShownWithoutAnySecret(t *testing.T) {
	w := newWorld(t)
	created := store.Precise(w.now())
	id := w.addKey(otherKey, store.Key{
		Account: annID, Prefix: "api_plan", LastFour: "ther", Name: "second", Description: "of ann",
		Created: created, Revoked: created, Permissions: auth.Read | auth.Write, ClientSecret: auth.DigestOf("a client secret"),
	})
	w.addKey("api_key_of_bob_not_shown", store.Key{Account: bobID})
	u, err := w.password.User(w.ctx, ann)
	must(t, err)
	if u.ID != annID || u.Username != "Ann" || u.Email != "Ann@Example.com" || len(u.Roles) != 1 || len(u.Keys) != 2 {
		t.Fatalf("got %+v", u)
	}
	want := session.Key{
		ID: id, Name: "second", Description: "of ann", Shown: "api_plan…ther", Owner: annID,
		Created: created, Revoked: true, Permissions: auth.Read | auth.Write,
	}
	if u.Keys[1] != want {
		t.Errorf("got %+v, want %+v", u.Keys[1], want)
	}
}

func TestAKeyOfNoAccountIsNoUser(t *testing.T) {
	w := newWorld(t)
	id := w.addKey(otherKey, store.Key{Gateway: true})
	p, err := w.password.Resolve(w.ctx, bearer.Credential{Kind: auth.APIKey, Key: otherKey})
	must(t, err)
	// An account may have the name that the subject of the key has.
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: "trap", Realm: realm, Username: p.Subject}))
	_, err = w.password.User(w.ctx, p)
	wantRefusal(t, err, auth.NotFound, "")
	_, err = w.password.ChangeUser(w.ctx, p, email("trap@example.com"))
	wantRefusal(t, err, auth.NotFound, "")
	if a, err := w.Accounts.Account(w.ctx, realm, "trap"); err != nil || a.Email != "" {
		t.Errorf("key %d changed the account of its name: %v, %q", id, err, a.Email)
	}
}

func TestAUserOfAnotherRealmIsNotFound(t *testing.T) {
	w := newWorld(t)
	_, err := w.password.User(w.ctx, &auth.Principal{Realm: "elsewhere", Subject: annID})
	wantRefusal(t, err, auth.NotFound, "")
}

func TestAChangeShowsWhatIsStored(t *testing.T) {
	w := newWorld(t)
	before := store.Precise(w.now())
	text := "new@example.com"
	u := w.change(session.ProfileChange{Email: &text, Profile: func(p *session.Profile) { p.City = "Oslo" }})
	stored, err := w.password.User(w.ctx, ann)
	must(t, err)
	if u.Email != text || u.Profile.City != "Oslo" || stored.Email != text || stored.Profile.City != "Oslo" {
		t.Errorf("answered %+v, stored %+v", u, stored)
	}
	if u.Updated.Before(before) || !u.Updated.Equal(stored.Updated) {
		t.Errorf("updated at %v, stored %v", u.Updated, stored.Updated)
	}
	if u := w.change(email("")); u.Email != "" {
		t.Errorf("the email is %q after it was taken away", u.Email)
	}
	if u := w.change(session.ProfileChange{}); u.Profile.City != "Oslo" {
		t.Errorf("a change of nothing changed the city to %q", u.Profile.City)
	}
}

func TestAnEmailThatIsTakenIsAConflict(t *testing.T) {
	for name, text := range map[string]string{
		"another's email":                  "bob@example.com",
		"another spelling of it":           "BOB@Example.COM",
		"another's username with an @":     "dave@example.com",
		"another spelling of the username": "Dave@Example.com",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.changeAccount(bobID, func(a *store.Account) { a.Email = "bob@example.com" })
			must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: "dave", Realm: realm, Username: "dave@example.com"}))
			_, err := w.password.ChangeUser(w.ctx, ann, email(text))
			wantRefusal(t, err, auth.Conflict, "")
			u, err := w.password.User(w.ctx, ann)
			must(t, err)
			if u.Email != "Ann@Example.com" {
				t.Errorf("the email is %q", u.Email)
			}
		})
	}
}

func TestOnesOwnEmailInAnotherSpellingIsNoConflict(t *testing.T) {
	w := newWorld(t)
	if u := w.change(email("ann@EXAMPLE.com")); u.Email != "ann@EXAMPLE.com" {
		t.Errorf("the email is %q", u.Email)
	}
}

// TestWhatIsNoEmailIsMalformed: an email that could be a username would be a
// second name of the account that nobody gave it.
func TestWhatIsNoEmailIsMalformed(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"root", "@", "@example.com", "ann@", "ann @example.com", "a\x00@example.com", strings.Repeat("x", 300) + "@example.com"} {
		_, err := w.password.ChangeUser(w.ctx, ann, email(text))
		wantRefusal(t, err, auth.Malformed, auth.ReasonForm)
	}
}

func TestSettingsChangeInTheirValueAndOnlyWhereTheyMay(t *testing.T) {
	w := newWorld(t)
	w.changeAccount(annID, func(a *store.Account) {
		a.Settings = []session.Setting{{ID: 1, Name: "theme", Value: "light", Type: "string"}, {ID: 2, Name: "quota", Value: "10", ReadOnly: true}}
	})
	u := w.change(session.ProfileChange{Settings: []session.Setting{
		{ID: 1, Name: "renamed", Value: "dark", Type: "bool", ReadOnly: true},
		{ID: 2, Name: "quota", Value: "1000000"},
		{ID: 3, Name: "added", Value: "x"},
	}})
	want := []session.Setting{{ID: 1, Name: "theme", Value: "dark", Type: "string"}, {ID: 2, Name: "quota", Value: "10", ReadOnly: true}}
	if len(u.Settings) != len(want) || u.Settings[0] != want[0] || u.Settings[1] != want[1] {
		t.Errorf("got %+v, want %+v", u.Settings, want)
	}
}

// TestAChangeThatLostIsMadeAgainOnTheWinnersRow: both changes are kept.
func TestAChangeThatLostIsMadeAgainOnTheWinnersRow(t *testing.T) {
	w := newWorld(t)
	w.hooks.update = once(func() {
		w.change(session.ProfileChange{Profile: func(p *session.Profile) { p.City = "Oslo" }})
		w.changeAccount(annID, func(a *store.Account) { a.Roles = nil })
	})
	u := w.change(session.ProfileChange{Profile: func(p *session.Profile) { p.Country = "Norway" }})
	if u.Profile.City != "Oslo" || u.Profile.Country != "Norway" || len(u.Roles) != 0 {
		t.Errorf("got %+v", u)
	}
}

func TestAChangeThatLosesEveryTimeIsAConflict(t *testing.T) {
	w := newWorld(t)
	tries := 0
	w.hooks.update = func() error { tries++; return auth.Fail(auth.Conflict, "", nil) }
	_, err := w.password.ChangeUser(w.ctx, ann, email("new@example.com"))
	wantRefusal(t, err, auth.Conflict, "")
	if tries < 2 || tries > 10 {
		t.Errorf("tried %d times", tries)
	}
}

func TestAChangeIsNotTriedAgainWhereTheStoreIsOutOfReach(t *testing.T) {
	w := newWorld(t)
	tries := 0
	w.hooks.update = func() error { tries++; return down() }
	_, err := w.password.ChangeUser(w.ctx, ann, email("new@example.com"))
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	if tries != 1 {
		t.Errorf("tried %d times", tries)
	}
}

func TestChangesAtOnceOfOneAccountLoseNothing(t *testing.T) {
	w := newWorld(t)
	var done sync.WaitGroup
	won := make(chan struct{}, 16)
	for range 16 {
		done.Go(func() {
			_, err := w.password.ChangeUser(w.ctx, ann, session.ProfileChange{Profile: func(p *session.Profile) { p.Rank++ }})
			if err == nil {
				won <- struct{}{}
			} else if auth.CodeOf(err) != auth.Conflict {
				t.Error(err)
			}
		})
	}
	done.Wait()
	u, err := w.password.User(w.ctx, ann)
	must(t, err)
	if u.Profile.Rank != len(won) || len(won) == 0 {
		t.Errorf("%d changes were answered, %d are stored", len(won), u.Profile.Rank)
	}
}

func TestANewEmailLogsInAndTheOldOneDoesNot(t *testing.T) {
	w := newWorld(t)
	w.change(email("new@example.com"))
	w.login("NEW@example.com")
	_, err := w.password.LoginPassword(w.ctx, "ann@example.com", auth.NewSecret(right))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func TestAUserOfAStoreOutOfReachIsNoFaultOfTheCaller(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(w.ctx, -time.Second)
	defer cancel()
	_, err := w.password.User(ctx, ann)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonTimeout)
}
