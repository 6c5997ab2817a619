package admin_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (d *desk) key(n admin.NewKey) (store.Key, auth.Secret) {
	d.Helper()
	row, secret, err := d.CreateKey(d.Context(), n)
	d.must(err)
	return row, secret
}

func TestAKeyIsFoundByWhatWasHandedOut(t *testing.T) {
	d := newDesk(t)
	joe := d.account("joe")
	row, secret := d.key(admin.NewKey{Account: "joe"})
	found, err := d.Store.Keys.KeyByDigest(t.Context(), "default", auth.DigestOf(secret.Reveal()))
	d.must(err)
	if found.ID != row.ID || found.Account != joe.ID || found.Permissions != auth.Read || !d.Good(found) {
		t.Errorf("found %+v", found)
	}
	if strings.Contains(found.Prefix+found.LastFour, secret.Reveal()) || len(found.Prefix+found.LastFour) > 12 {
		t.Errorf("too much of the key is kept: %s %s", found.Prefix, found.LastFour)
	}
}

func TestAKeyNeedsAnOwnerThatFits(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.tenant("Acme")
	for name, c := range map[string]struct {
		n     admin.NewKey
		code  auth.Code
		words string
	}{
		"nobody's":                      {admin.NewKey{}, auth.Malformed, "needs an owner"},
		"the gateway's and somebody's":  {admin.NewKey{Gateway: true, Account: "joe"}, auth.Malformed, "no other owner"},
		"an unknown account's":          {admin.NewKey{Account: "bob"}, auth.NotFound, `no account "bob"`},
		"an unknown tenant's":           {admin.NewKey{Tenant: "Initech"}, auth.NotFound, `no tenant "Initech"`},
		"a stranger's within a tenant":  {admin.NewKey{Account: "joe", Tenant: "Acme"}, auth.Conflict, "no member"},
		"one that has ended":            {admin.NewKey{Account: "joe", Expires: d.now}, auth.Malformed, "expired already"},
		"one with a scope of two words": {admin.NewKey{Account: "joe", Scopes: auth.Scope{"a b"}}, auth.Malformed, `scope "a b"`},
		"one of a single letter":        {admin.NewKey{Account: "joe", Secret: auth.NewSecret("aaaaaaaaaaaaaaaa")}, auth.Malformed, "repeats itself"},
		"one that is a word repeated":   {admin.NewKey{Account: "joe", Secret: auth.NewSecret("changemechangeme")}, auth.Malformed, "repeats itself"},
		"one that can be guessed":       {admin.NewKey{Account: "joe", Secret: auth.NewSecret("short")}, auth.Malformed, "at least 16"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Admin: d.Admin, now: d.now}
			_, secret, err := d.CreateKey(t.Context(), c.n)
			d.fails(err, c.code, c.words)
			if !secret.Empty() {
				t.Error("a key is handed out all the same")
			}
		})
	}
	d.must(d.AddMember(t.Context(), "joe", "Acme", "", nil))
	d.key(admin.NewKey{Account: "joe", Tenant: "Acme"})
	d.key(admin.NewKey{Tenant: "Acme"})
	d.key(admin.NewKey{Gateway: true})
}

func TestAKnownKeyCannotBeImportedTwice(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	old := auth.NewSecret("legacy-key-0123456789")
	d.key(admin.NewKey{Account: "joe", Secret: old})
	_, secret, err := d.CreateKey(t.Context(), admin.NewKey{Account: "joe", Secret: old})
	d.fails(err, auth.Conflict, "in use already")
	if !secret.Empty() {
		t.Error("the key is handed out")
	}
}

func TestARotatedKeyEndsNowOrWhenTheOverlapIsOver(t *testing.T) {
	soon := 10 * time.Minute
	for name, c := range map[string]struct {
		expires, overlap, lives time.Duration
	}{
		"now":                                  {0, 0, 0},
		"when the overlap is over":             {0, time.Hour, time.Hour},
		"at its own end, where that is sooner": {soon, time.Hour, soon},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.account("joe")
			n := admin.NewKey{Account: "joe", Name: "ci", Scopes: auth.Scope{"a"}, Permissions: auth.Write}
			if c.expires > 0 {
				n.Expires = d.now.Add(c.expires)
			}
			old, was := d.key(n)
			next, secret, err := d.RotateKey(t.Context(), old.ID, c.overlap)
			d.must(err)
			if secret.Equal(was) || next.ID == old.ID || next.Name != "ci" || next.Account != old.Account ||
				next.Permissions != auth.Write || !next.Scopes.Has("a") || !next.Expires.Equal(old.Expires) {
				t.Errorf("the new key is %+v", next)
			}
			old, err = d.Key(t.Context(), old.ID)
			d.must(err)
			if c.lives > 0 {
				d.now = d.now.Add(c.lives - time.Millisecond)
				if !d.Good(old) {
					t.Error("the old key ends too soon")
				}
				d.now = d.now.Add(time.Millisecond)
			}
			if d.Good(old) {
				t.Error("the old key goes on")
			}
			_, _, err = d.RotateKey(t.Context(), old.ID, 0)
			d.fails(err, auth.Conflict, "revoked or expired")
		})
	}
}

// meeting has all who read a key wait for each other, so that all of them go on
// from the same row.
type meeting struct {
	store.Keys
	id   int64
	here *sync.WaitGroup
}

func (m meeting) Key(ctx context.Context, realm string, id int64) (store.Key, error) {
	row, err := m.Keys.Key(ctx, realm, id)
	if id == m.id {
		m.here.Done()
		m.here.Wait()
	}
	return row, err
}

func TestOfManyRotationsAtOnceOneWins(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	old, _ := d.key(admin.NewKey{Account: "joe"})
	var all sync.WaitGroup
	won := make(chan store.Key, 16)
	met := &sync.WaitGroup{}
	met.Add(cap(won))
	d.Store.Keys = meeting{d.Store.Keys, old.ID, met}
	for range cap(won) {
		all.Go(func() {
			next, _, err := d.RotateKey(t.Context(), old.ID, 0)
			if err == nil {
				won <- next
				return
			}
			d.fails(err, auth.Conflict, "was changed at the same time")
		})
	}
	all.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d rotations have won", len(won))
	}
	winner := (<-won).ID
	d.must(d.Keys(t.Context(), "", "", func(k store.Key) error {
		if d.Good(k) != (k.ID == winner) {
			t.Errorf("key %d is good: %v; the winner is %d", k.ID, d.Good(k), winner)
		}
		return nil
	}))
}

func TestARevokedKeyTakesItsTokensAlong(t *testing.T) {
	d := newDesk(t)
	joe := d.account("joe")
	key, _ := d.key(admin.NewKey{Account: "joe"})
	row := store.Session{
		ID: "by-key", Realm: "default", Digest: auth.DigestOf("by-key"), Kind: store.AccessToken, Subject: joe.ID,
		KeyID: key.ID, Issued: d.now, Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour),
	}
	d.must(d.Store.Sessions.InsertSession(t.Context(), row))
	other := d.token("joe")
	for range 2 { // a second time is as good as the first
		_, err := d.RevokeKey(t.Context(), key.ID)
		d.must(err)
		d.gone(row)
	}
	if _, err := d.Token(t.Context(), other.ID); err != nil {
		t.Error(err)
	}
	_, err := d.RevokeKey(t.Context(), 999)
	d.fails(err, auth.NotFound, "no key 999")
}

func TestKeysAreListedByOwner(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.account("anna")
	d.tenant("Acme")
	d.key(admin.NewKey{Account: "joe"})
	d.key(admin.NewKey{Account: "anna"})
	d.key(admin.NewKey{Tenant: "Acme"})
	count := func(account, tenant string) (n int) {
		d.must(d.Keys(t.Context(), account, tenant, func(store.Key) error { n++; return nil }))
		return n
	}
	if all, joes, acmes, both := count("", ""), count("joe", ""), count("", "acme"), count("joe", "Acme"); all != 3 || joes != 1 || acmes != 1 || both != 0 {
		t.Errorf("%d keys, %d of joe, %d of Acme, %d of both", all, joes, acmes, both)
	}
	none := func(store.Key) error { return nil }
	d.fails(d.Keys(t.Context(), "bob", "", none), auth.NotFound, `no account "bob"`)
	d.fails(d.Keys(t.Context(), "", "Initech", none), auth.NotFound, `no tenant "Initech"`)
}
