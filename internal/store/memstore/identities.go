package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertIdentity(ctx context.Context, i store.Identity, unlessAny bool) error {
	if err := i.Check(); err != nil {
		return err
	}
	return m.locked(ctx, func() error {
		r := m.realm(i.Realm)
		if _, taken := r.identities[i.ID]; taken {
			return conflict()
		}
		if !r.owned(i.Account, "") {
			return notFound()
		}
		if unlessAny && len(r.identitiesOf(i.Account)) > 0 {
			return conflict()
		}
		r.identities[i.ID] = preciseIdentity(i)
		return nil
	})
}

func (m *memory) Identity(ctx context.Context, realm, id string) (i store.Identity, err error) {
	err = m.locked(ctx, func() error {
		row, ok := m.realm(realm).identities[id]
		if !ok {
			return notFound()
		}
		i = row
		return nil
	})
	return i, err
}

func (m *memory) IdentitiesOf(ctx context.Context, realm, account string) (rows []store.Identity, err error) {
	err = m.locked(ctx, func() error {
		rows = m.realm(realm).identitiesOf(account)
		return nil
	})
	slices.SortFunc(rows, func(a, b store.Identity) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return rows, err
}

func (m *memory) UpdateIdentity(ctx context.Context, i store.Identity) error {
	if err := i.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(i.Realm)
		old, ok := r.identities[i.ID]
		if !ok {
			return nil, notFound()
		}
		if old.Version != i.Version {
			return nil, conflict()
		}
		if !r.owned(i.Account, "") {
			return nil, notFound()
		}
		i.Version++
		r.identities[i.ID] = preciseIdentity(i)
		if old.Account == i.Account {
			return nil, nil
		}
		return append(subjectChanged(i.Realm, old.Account), subjectChanged(i.Realm, i.Account)...), nil
	})
}

// identitiesOf returns the identities of an account, in any order.
func (r *realm) identitiesOf(account string) (rows []store.Identity) {
	for _, row := range r.identities {
		if row.Account == account {
			rows = append(rows, row)
		}
	}
	return rows
}

func preciseIdentity(i store.Identity) store.Identity {
	i.Created, i.Updated = store.Precise(i.Created), store.Precise(i.Updated)
	return i
}
