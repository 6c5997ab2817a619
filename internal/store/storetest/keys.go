package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Keys holds a backend to its part of the contract. It needs accounts and
// tenants.
func Keys(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a key comes back as it went in, by its digest and its id", keyRoundTrip},
		{"a key that is not there is not found", keyAbsent},
		{"the store chooses ids that grow, and never gives one twice", keyIDs},
		{"a digest that the realm has is a conflict", keyTaken},
		{"a key of an account or tenant that is not there is not found", keyDangling},
		{"a key without realm or digest is malformed", keyMalformed},
		{"revoked and expired keys are found too", keyDead},
		{"an update replaces the row, the digest included, and adds one to its version", keyUpdate},
		{"an update of another version or to a taken digest is a conflict", keyStale},
		{"an update of a key that is gone is not found", keyUpdateAbsent},
		{"a touch sets the last use where it is later, no new version and no change", keyTouch},
		{"a realm neither shows nor touches the keys of another", keyRealms},
		{"keys are listed by id, narrowed by owner, page by page", keyList},
		{"creation records no change, an update one of the key", keyChanges},
		{"a caller may change what it was given", keyCopies},
		{"odd text comes back as it went in or is refused", keyOddText},
		{"times are kept to the millisecond in UTC, and the epoch is not the zero time", keyTimes},
	})
}

func (f *fixture) key(t *testing.T, id int64) store.Key {
	t.Helper()
	k, err := f.Keys.Key(t.Context(), home, id)
	ok(t, err)
	return k
}

func keyRoundTrip(t *testing.T, f *fixture) {
	k := fullKey(f.clock, "ci")
	k.Account, k.Tenant = f.insertAccounts(t, "ana")[0].ID, f.insertTenant(t, "acme").ID
	rows := []store.Key{f.insertKey(t, k), f.insertKey(t, key("bare"))}
	for range 2 {
		for _, row := range rows {
			want(t, f.key(t, row.ID), row)
			got, err := f.Keys.KeyByDigest(t.Context(), home, row.Digest)
			ok(t, err)
			want(t, got, row)
		}
		f.reopen(t)
	}
}

func keyAbsent(t *testing.T, f *fixture) {
	k := f.insertKey(t, key("ci"))
	for _, id := range []int64{0, -1, k.ID + 1, 1<<63 - 1} {
		_, err := f.Keys.Key(t.Context(), home, id)
		refused(t, err, auth.NotFound)
	}
	for _, d := range []auth.Digest{{}, auth.DigestOf("another")} {
		_, err := f.Keys.KeyByDigest(t.Context(), home, d)
		refused(t, err, auth.NotFound)
	}
}

func keyIDs(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	var last int64
	for i := range 6 {
		k := key(decimal(int64(i)))
		k.ID, k.Account = 1, a.ID // an id that is given is not used
		if i%2 == 1 {
			k.Realm, k.Account = foreign, ""
		}
		id, err := f.Keys.InsertKey(t.Context(), k)
		ok(t, err)
		if id <= last {
			t.Fatalf("id %d was given after %d", id, last)
		}
		last = id
	}
	k := key("newest")
	k.Account = a.ID
	newest := f.insertKey(t, k)
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, a.ID))
	f.reopen(t)
	if again := f.insertKey(t, key("next")); again.ID <= newest.ID {
		t.Fatalf("id %d was given after %d", again.ID, newest.ID)
	}
}

func keyTaken(t *testing.T, f *fixture) {
	k := f.insertKey(t, key("ci"))
	again := key("ci")
	again.Name = "another"
	_, err := f.Keys.InsertKey(t.Context(), again)
	refused(t, err, auth.Conflict)
	want(t, f.key(t, k.ID), k)
}

func keyDangling(t *testing.T, f *fixture) {
	a, tn := f.insertAccounts(t, "ana")[0], f.insertTenant(t, "acme")
	for i, change := range []func(*store.Key){
		func(k *store.Key) { k.Account = uuid.NewString() },
		func(k *store.Key) { k.Tenant = uuid.NewString() },
		func(k *store.Key) { k.Account, k.Tenant = a.ID, uuid.NewString() },
		func(k *store.Key) { k.Realm, k.Account = foreign, a.ID },
		func(k *store.Key) { k.Realm, k.Tenant = foreign, tn.ID },
	} {
		k := key(decimal(int64(i)))
		change(&k)
		_, err := f.Keys.InsertKey(t.Context(), k)
		refused(t, err, auth.NotFound)
		_, err = f.Keys.KeyByDigest(t.Context(), k.Realm, k.Digest)
		refused(t, err, auth.NotFound)
	}
}

func keyMalformed(t *testing.T, f *fixture) {
	existing := f.insertKey(t, key("ci"))
	for _, change := range []func(*store.Key){
		func(k *store.Key) { k.Realm = "" },
		func(k *store.Key) { k.Digest = auth.Digest{} },
		func(k *store.Key) { k.Name = "a\x00b" },
		func(k *store.Key) { k.Scopes = tooMany() },
	} {
		inserted, updated := key("another"), existing
		change(&inserted)
		change(&updated)
		_, err := f.Keys.InsertKey(t.Context(), inserted)
		refused(t, err, auth.Malformed)
		refused(t, f.Keys.UpdateKey(t.Context(), updated), auth.Malformed)
	}
	want(t, f.key(t, existing.ID), existing)
}

func keyDead(t *testing.T, f *fixture) {
	k := key("ci")
	k.Expires = f.clock.Now()
	expired := f.insertKey(t, k)
	k = key("cd")
	k.Revoked = f.clock.after(-time.Hour)
	revoked := f.insertKey(t, k)
	f.clock.set(f.clock.after(1000 * time.Hour))
	for _, row := range []store.Key{expired, revoked} {
		want(t, f.key(t, row.ID), row)
		got, err := f.Keys.KeyByDigest(t.Context(), home, row.Digest)
		ok(t, err)
		want(t, got, row)
	}
}

func keyUpdate(t *testing.T, f *fixture) {
	k := f.insertKey(t, key("ci"))
	first := k.Digest
	full := fullKey(f.clock, "rotated")
	full.ID, full.Version = k.ID, k.Version
	full.Account = f.insertAccounts(t, "ana")[0].ID
	ok(t, f.Keys.UpdateKey(t.Context(), full))
	full.Version++
	want(t, f.key(t, k.ID), full)
	_, err := f.Keys.KeyByDigest(t.Context(), home, first)
	refused(t, err, auth.NotFound)

	k.Version = full.Version
	ok(t, f.Keys.UpdateKey(t.Context(), k))
	k.Version++
	f.reopen(t)
	want(t, f.key(t, k.ID), k)
}

func keyStale(t *testing.T, f *fixture) {
	k, other := f.insertKey(t, key("ci")), f.insertKey(t, key("cd"))
	for _, change := range []func(*store.Key){
		func(k *store.Key) { k.Version-- },
		func(k *store.Key) { k.Version++ },
		func(k *store.Key) { k.Digest = other.Digest },
	} {
		stale := k
		stale.Revoked = f.clock.Now()
		change(&stale)
		f.records(t, nil, func() {
			refused(t, f.Keys.UpdateKey(t.Context(), stale), auth.Conflict)
		})
	}
	want(t, f.key(t, k.ID), k)
	want(t, f.key(t, other.ID), other)
}

func keyUpdateAbsent(t *testing.T, f *fixture) {
	k := f.insertKey(t, key("ci"))
	k.ID++
	k.Digest = auth.DigestOf("another")
	refused(t, f.Keys.UpdateKey(t.Context(), k), auth.NotFound)
}

func keyTouch(t *testing.T, f *fixture) {
	k := f.insertKey(t, fullKey(f.clock, "ci"))
	k.LastUsed = f.clock.after(time.Minute)
	f.records(t, nil, func() {
		ok(t, f.Keys.TouchKey(t.Context(), home, k.ID, k.LastUsed))
		ok(t, f.Keys.TouchKey(t.Context(), home, k.ID, f.clock.after(-time.Hour)))
		ok(t, f.Keys.TouchKey(t.Context(), home, k.ID+1, k.LastUsed))
		ok(t, f.Keys.TouchKey(t.Context(), foreign, k.ID, f.clock.after(time.Hour)))
	})
	for range 2 {
		f.reopen(t) // a touch may be late, but not lost in an orderly end
		want(t, f.key(t, k.ID), k)
		ok(t, f.Keys.TouchKey(t.Context(), home, k.ID, f.clock.after(-time.Hour)))
	}
	ok(t, f.Keys.UpdateKey(t.Context(), k))
}

func keyRealms(t *testing.T, f *fixture) {
	k := f.insertKey(t, key("ci"))
	_, err := f.Keys.Key(t.Context(), foreign, k.ID)
	refused(t, err, auth.NotFound)
	_, err = f.Keys.KeyByDigest(t.Context(), foreign, k.Digest)
	refused(t, err, auth.NotFound)
	theirs := k
	theirs.Realm = foreign
	refused(t, f.Keys.UpdateKey(t.Context(), theirs), auth.NotFound)
	theirs = f.insertKey(t, theirs)
	theirs.Name = "theirs"
	ok(t, f.Keys.UpdateKey(t.Context(), theirs))
	want(t, f.key(t, k.ID), k)
	rows, err := f.Keys.ListKeys(t.Context(), home, store.KeyFilter{}, store.Page{})
	ok(t, err)
	want(t, rows, []store.Key{k})
}

func keyList(t *testing.T, f *fixture) {
	a, tn := f.insertAccounts(t, "ana")[0], f.insertTenant(t, "acme")
	for _, k := range []struct{ name, account, tenant string }{
		{"z", a.ID, ""}, {"y", a.ID, tn.ID}, {"x", "", tn.ID}, {"w", "", ""}, {"v", a.ID, tn.ID},
	} {
		row := key(k.name)
		row.Account, row.Tenant = k.account, k.tenant
		f.insertKey(t, row)
	}
	for _, c := range []struct {
		filter store.KeyFilter
		names  []string
	}{
		{store.KeyFilter{}, []string{"z", "y", "x", "w", "v"}},
		{store.KeyFilter{Account: a.ID}, []string{"z", "y", "v"}},
		{store.KeyFilter{Tenant: tn.ID}, []string{"y", "x", "v"}},
	} {
		pages(t, c.names, func(p store.Page) ([]string, error) { return f.listKeys(t, c.filter, p) })
	}
	both, err := f.listKeys(t, store.KeyFilter{Account: a.ID, Tenant: tn.ID}, store.Page{})
	ok(t, err)
	want(t, both, []string{"y", "v"})
	none, err := f.listKeys(t, store.KeyFilter{Account: tn.ID}, store.Page{})
	ok(t, err)
	want(t, len(none), 0)
}

func (f *fixture) listKeys(t *testing.T, filter store.KeyFilter, p store.Page) ([]string, error) {
	t.Helper()
	rows, err := f.Keys.ListKeys(t.Context(), home, filter, p)
	return names(rows, func(k store.Key) string { return k.Name }), err
}

func keyChanges(t *testing.T, f *fixture) {
	var k store.Key
	f.records(t, nil, func() { k = f.insertKey(t, key("ci")) })
	changed := []store.Change{{Realm: home, Kind: store.KeyChanged, ID: decimal(k.ID)}}
	f.records(t, changed, func() { ok(t, f.Keys.UpdateKey(t.Context(), k)) })
}

func keyCopies(t *testing.T, f *fixture) {
	given := fullKey(f.clock, "ci")
	kept := f.insertKey(t, fullKey(f.clock, "cd"))
	kept.Digest, kept.Name = given.Digest, given.Name
	kept.ID = f.insertKey(t, given).ID
	spoil := func(k *store.Key) {
		k.Scopes[0], k.Addresses[0] = "spoilt", netip.MustParsePrefix("0.0.0.0/0")
	}
	spoil(&given)
	got := f.key(t, kept.ID)
	want(t, got, kept)
	spoil(&got)
	rows, err := f.Keys.ListKeys(t.Context(), home, store.KeyFilter{}, store.Page{Offset: 1})
	ok(t, err)
	want(t, rows, []store.Key{kept})
	spoil(&rows[0])
	want(t, f.key(t, kept.ID), kept)
}

func keyOddText(t *testing.T, f *fixture) {
	for name, odd := range oddStrings() {
		k := key(name)
		k.Name, k.Description, k.Prefix, k.LastFour = odd, odd, odd, odd
		k.Scopes = auth.Scope{odd, "", "third"}
		id, err := f.Keys.InsertKey(t.Context(), k)
		if kept(t, name, err) {
			k.ID = id
			want(t, f.key(t, id), k)
		}
	}
}

func keyTimes(t *testing.T, f *fixture) {
	fine := time.Date(2026, 3, 29, 2, 59, 59, 123_999_999, time.FixedZone("far", 13*3600))
	for i, at := range []time.Time{fine, {}, time.Unix(0, 0), time.Unix(0, -1)} {
		k := key(decimal(int64(i)))
		k.Created, k.Expires, k.Revoked, k.LastUsed = at, at, at, at
		k = f.insertKey(t, k)
		p := store.Precise(at)
		k.Created, k.Expires, k.Revoked, k.LastUsed = p, p, p, p
		want(t, f.key(t, k.ID), k)
	}
}
