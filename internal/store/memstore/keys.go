package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertKey(ctx context.Context, k store.Key) (id int64, err error) {
	if err := k.Check(); err != nil {
		return 0, err
	}
	err = m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(k.Realm)
		if _, taken := r.keyDigests[k.Digest]; taken {
			return nil, conflict()
		}
		if !r.owned(k.Account, k.Tenant) {
			return nil, notFound()
		}
		m.lastKey++
		id, k.ID = m.lastKey, m.lastKey
		r.putKey(k)
		return nil, nil
	})
	return id, err
}

func (m *memory) KeyByDigest(ctx context.Context, realm string, d auth.Digest) (k store.Key, err error) {
	err = m.locked(ctx, func() error {
		r := m.realm(realm)
		id, ok := r.keyDigests[d]
		if !ok {
			return notFound()
		}
		k = copyKey(r.keys[id])
		return nil
	})
	return k, err
}

func (m *memory) Key(ctx context.Context, realm string, id int64) (k store.Key, err error) {
	err = m.locked(ctx, func() error {
		row, ok := m.realm(realm).keys[id]
		if !ok {
			return notFound()
		}
		k = copyKey(row)
		return nil
	})
	return k, err
}

func (m *memory) UpdateKey(ctx context.Context, k store.Key) error {
	if err := k.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(k.Realm)
		old, ok := r.keys[k.ID]
		if !ok || !r.owned(k.Account, k.Tenant) {
			return nil, notFound()
		}
		holder, taken := r.keyDigests[k.Digest]
		if old.Version != k.Version || taken && holder != k.ID {
			return nil, conflict()
		}
		delete(r.keyDigests, old.Digest)
		k.Version++
		r.putKey(k)
		return []store.Change{keyChanged(k.Realm, k.ID)}, nil
	})
}

func (m *memory) TouchKey(ctx context.Context, realm string, id int64, at store.Time) error {
	return m.locked(ctx, func() error {
		r := m.realm(realm)
		if k, ok := r.keys[id]; ok {
			k.LastUsed = later(k.LastUsed, at)
			r.keys[id] = k
		}
		return nil
	})
}

func (m *memory) ListKeys(ctx context.Context, realm string, f store.KeyFilter, page store.Page) (rows []store.Key, err error) {
	err = m.locked(ctx, func() error {
		for _, k := range m.realm(realm).keys {
			if (f.Account == "" || f.Account == k.Account) && (f.Tenant == "" || f.Tenant == k.Tenant) {
				rows = append(rows, copyKey(k))
			}
		}
		slices.SortFunc(rows, func(a, b store.Key) int { return cmp.Compare(a.ID, b.ID) })
		rows, err = cut(rows, page)
		return err
	})
	return rows, err
}

func (r *realm) putKey(k store.Key) {
	k = copyKey(k)
	r.keys[k.ID] = k
	r.keyDigests[k.Digest] = k.ID
}

// dropKeys removes the keys that match with the sessions obtained with them,
// and returns a change for each, in the order of id: such a session may be
// another subject's.
func (r *realm) dropKeys(match func(store.Key) bool) []store.Change {
	var changes []store.Change
	for _, id := range slices.Sorted(maps.Keys(r.keys)) {
		k := r.keys[id]
		if !match(k) {
			continue
		}
		delete(r.keys, id)
		delete(r.keyDigests, k.Digest)
		r.dropSessions(func(s store.Session) bool { return s.KeyID == id })
		changes = append(changes, keyChanged(k.Realm, id))
	}
	return changes
}

func keyChanged(realm string, id int64) store.Change {
	return store.Change{Realm: realm, Kind: store.KeyChanged, ID: strconv.FormatInt(id, 10)}
}

// copyKey returns k as it is kept: sharing nothing, with precise times.
func copyKey(k store.Key) store.Key {
	k.Scopes, k.Addresses = slices.Clone(k.Scopes), slices.Clone(k.Addresses)
	k.Created, k.Expires = store.Precise(k.Created), store.Precise(k.Expires)
	k.Revoked, k.LastUsed = store.Precise(k.Revoked), store.Precise(k.LastUsed)
	return k
}
