package session_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	lowerHex  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	wholeDate = worldBegan.Truncate(time.Second)
)

func TestALoginTokenIsMade(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		p := w.as("ann")
		made, err := w.CreateLoginTokens(w.ctx, p, "", annID, "")
		must(t, err)
		identity, err := w.IdentityOf(w.ctx, p)
		must(t, err)
		if len(made) != 3 || made[0].ID == made[1].ID || made[0].Token == made[1].Token || made[0].Associate != "" || made[1].Associate != annID {
			t.Fatalf("made %+v", made)
		}
		for _, l := range made {
			if !uuidForm.MatchString(l.ID) || !lowerHex.MatchString(l.Token.Reveal()) || l.Identity != identity.ID {
				t.Errorf("made %+v", l)
			}
			if !l.Created.Equal(wholeDate) || !l.Updated.Equal(wholeDate) || !l.Expires.Equal(wholeDate.Add(10*time.Minute)) {
				t.Errorf("made at %v, changed at %v, good until %v", l.Created, l.Updated, l.Expires)
			}
		}
		found, total, err := w.LoginTokens(w.ctx, p, session.Query{Where: session.Filter{
			Field: session.FieldDigest, Op: session.Equal, Values: []any{auth.DigestOf(made[1].Token.Reveal())},
		}})
		if must(t, err); total != 1 || found[0] != made[1] {
			t.Errorf("given back was %+v, made %+v", found, made[1])
		}
	})
}

func TestALoginTokenIsSealedAtRest(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l := w.link(w.as("ann"))
		row, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: l.ID})
		must(t, err)
		if len(row.Sealed) == 0 || strings.Contains(fmt.Sprintf("%s %q", row.Sealed, fmt.Sprint(row)), l.Token.Reveal()) {
			t.Error("the row holds the token as it is")
		}
		if row.Keep.Sub(row.Expires) != 24*time.Hour {
			t.Errorf("it is kept %v", row.Keep.Sub(row.Expires))
		}
		other, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: w.link(w.as("ann")).ID})
		must(t, err)
		// The seal of one row is nothing in another.
		row.Sealed = other.Sealed
		must(t, w.Sessions.ExchangeSession(w.ctx, row))
		if _, _, err := w.LoginTokens(w.ctx, w.as("ann"), session.Query{}); err == nil {
			t.Error("a token was unsealed in another row")
		}
	})
}

func TestMoreLoginTokensThanOneCallMakesAreNone(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		p := w.as("ann")
		_, err := w.CreateLoginTokens(w.ctx, p, make([]string, 101)...)
		wantRefusal(t, err, auth.Malformed, auth.ReasonTooLarge)
		_, err = w.CreateLoginTokens(w.ctx, p, "", zoeID)
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
		if got := w.links(p); len(got) != 0 {
			t.Errorf("made %v", got)
		}
		_, err = w.CreateLoginTokens(w.ctx, p, make([]string, 100)...)
		must(t, err)
	})
}

func TestALoginTokenIsNoAccessToken(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		_, err := w.Resolve(w.ctx, bearerOf(w.link(w.as("ann")).Token))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestCallersSeeTheirOwnLoginTokens(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann, zoe, chef := w.as("ann"), w.as("zoe"), w.as("chef")
		annLink, zoeLink, readLink := w.link(ann), w.link(zoe), w.link(w.with(annReadKey))
		ids := func(ids ...string) string { return sorted(ids) }
		for name, c := range map[string]struct {
			caller *auth.Principal
			want   string
		}{
			"an account sees those of its identity":      {ann, ids(annLink.ID, readLink.ID)},
			"another sees its own":                       {zoe, ids(zoeLink.ID)},
			"an administrator sees all":                  {chef, ids(annLink.ID, zoeLink.ID, readLink.ID)},
			"a key with all permissions is the account":  {w.with(annKey), ids(annLink.ID, readLink.ID)},
			"a limited key sees what it obtained itself": {w.with(annReadKey), ids(readLink.ID)},
		} {
			if got := sorted(w.links(c.caller)); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
		// A filter does not widen what a caller sees.
		found, total, err := w.LoginTokens(w.ctx, zoe, session.Query{Where: session.Filter{Any: []session.Filter{
			{Field: session.FieldID, Op: session.Equal, Values: []any{annLink.ID}},
			{Field: session.FieldID, Op: session.NotEqual, Values: []any{""}},
		}}})
		if must(t, err); total != 1 || found[0].ID != zoeLink.ID {
			t.Errorf("zoe found %+v", found)
		}
	})
}

// TestASessionOfALimitedKeyIsLimitedToo: what a key may not see, neither may
// who redeemed what the key made.
func TestASessionOfALimitedKeyIsLimitedToo(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		w.link(w.as("ann"))
		issued, err := w.redeem(w.link(w.with(annReadKey)))
		must(t, err)
		p := w.caller(issued)
		if p.Permissions != auth.Read || p.KeyID != w.keyIDs[annReadKey] {
			t.Errorf("it may %v by key %d", p.Permissions.Names(), p.KeyID)
		}
		if got := w.links(p); len(got) != 0 {
			t.Errorf("it sees %v", got)
		}
	})
}

// TestALimitedKeyOfAnAdministratorIsNone.
func TestALimitedKeyOfAnAdministratorIsNone(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		const chefKey = "api_planted0key0of0chef0"
		w.addKey(chefKey, store.Key{Account: chefID, Permissions: auth.AllPermissions, Scopes: auth.Scope{"a"}})
		p := w.with(chefKey)
		w.link(w.as("ann"))
		if got := w.links(p); len(got) != 0 {
			t.Errorf("it sees %v", got)
		}
		_, err := w.CreateLoginTokens(w.ctx, p, annID)
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
	})
}

func TestQueriesArePagedAndOrderedInTheStore(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		p := w.as("ann")
		var ids []string
		for range 5 {
			ids = append(ids, w.link(p).ID)
			w.sleep(time.Second)
		}
		found, total, err := w.LoginTokens(w.ctx, p, session.Query{
			Order: []session.Order{{Field: session.FieldIssued, Descending: true}}, Page: session.Page{Offset: 1, Limit: 2},
		})
		must(t, err)
		if total != 5 || len(found) != 2 || found[0].ID != ids[3] || found[1].ID != ids[2] {
			t.Errorf("%d in all, the page is %+v, made were %v", total, found, ids)
		}
	})
}

func TestLoginTokensAreRemoved(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann, zoe, chef := w.as("ann"), w.as("zoe"), w.as("chef")
		annLink, zoeLink, chefLink := w.link(ann), w.link(zoe), w.link(chef)
		named := func(id string) session.Query {
			return session.Query{Where: session.Filter{Field: session.FieldID, Op: session.Equal, Values: []any{id}}}
		}
		removed, err := w.RemoveLoginTokens(w.ctx, zoe, named(annLink.ID))
		if must(t, err); len(removed) != 0 {
			t.Errorf("zoe removed %+v", removed)
		}
		removed, err = w.RemoveLoginTokens(w.ctx, chef, session.Query{})
		if must(t, err); len(removed) != 1 || removed[0] != chefLink {
			t.Errorf("without a filter an administrator removed %+v", removed)
		}
		removed, err = w.RemoveLoginTokens(w.ctx, chef, named(annLink.ID))
		if must(t, err); len(removed) != 1 || removed[0] != annLink {
			t.Errorf("an administrator removed %+v", removed)
		}
		if got := w.links(chef); sorted(got) != zoeLink.ID {
			t.Errorf("left is %v", got)
		}
		_, err = w.redeem(annLink)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		var told int
		for _, e := range w.events {
			if e.Kind == auth.RevocationEvent {
				told++
			}
		}
		if told != 2 {
			t.Errorf("the log was told of %d", told)
		}
	})
}

func TestAnExpiredLoginTokenIsFoundForADay(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l := w.link(w.as("ann"))
		w.sleep(10*time.Minute + 23*time.Hour)
		if got := w.links(w.as("ann")); len(got) != 1 || got[0] != l.ID {
			t.Errorf("found %v", got)
		}
		w.sleep(time.Hour)
		if got := w.links(w.as("ann")); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	})
}

func sorted(ids []string) string { return strings.Join(slices.Sorted(slices.Values(ids)), " ") }
