package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertSigningKey(ctx context.Context, k store.SigningKey, unlessActive bool) error {
	if err := k.Check(); err != nil {
		return err
	}
	return m.locked(ctx, func() error {
		for _, other := range m.signing {
			if other.ID == k.ID || unlessActive && other.Use == k.Use && other.Retired.IsZero() {
				return conflict()
			}
		}
		m.signing[k.ID] = copySigningKey(k)
		return nil
	})
}

func (m *memory) SigningKeys(ctx context.Context) (rows []store.SigningKey, err error) {
	err = m.locked(ctx, func() error {
		for k := range maps.Values(m.signing) {
			rows = append(rows, copySigningKey(k))
		}
		return nil
	})
	slices.SortFunc(rows, func(a, b store.SigningKey) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return rows, err
}

func (m *memory) UpdateSigningKey(ctx context.Context, k store.SigningKey) error {
	if err := k.Check(); err != nil {
		return err
	}
	return m.locked(ctx, func() error {
		if _, ok := m.signing[k.ID]; !ok {
			return notFound()
		}
		m.signing[k.ID] = copySigningKey(k)
		return nil
	})
}

func (m *memory) RotateSigningKey(ctx context.Context, id string, next store.SigningKey, beyond time.Duration) error {
	if err := next.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		old, ok := m.signing[id]
		if _, taken := m.signing[next.ID]; taken || !ok || old.Use != next.Use || !old.Retired.IsZero() {
			return nil, conflict()
		}
		for _, k := range m.signing {
			if k.Use == next.Use && k.Retired.IsZero() {
				k.Retired, k.Expires = next.Created, next.Created.Add(beyond+k.Longest)
				m.signing[k.ID] = copySigningKey(k)
			}
		}
		m.signing[next.ID] = copySigningKey(next)
		return []store.Change{{Kind: store.SigningKeysChanged}}, nil
	})
}

func (m *memory) RaiseSigningKey(ctx context.Context, id string, life time.Duration) error {
	return m.locked(ctx, func() error {
		k, ok := m.signing[id]
		if !ok || !k.Retired.IsZero() {
			return notFound()
		}
		k.Longest = max(k.Longest, life.Truncate(time.Millisecond))
		m.signing[id] = k
		return nil
	})
}

func (m *memory) DeleteSigningKey(ctx context.Context, id string) error {
	return m.locked(ctx, func() error {
		delete(m.signing, id)
		return nil
	})
}

func copySigningKey(k store.SigningKey) store.SigningKey {
	k.Sealed = slices.Clone(k.Sealed)
	k.Created, k.Retired, k.Expires = store.Precise(k.Created), store.Precise(k.Retired), store.Precise(k.Expires)
	k.Longest = k.Longest.Truncate(time.Millisecond)
	return k
}
