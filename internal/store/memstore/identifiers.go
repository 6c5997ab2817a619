package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertIdentifier(ctx context.Context, i store.Identifier) error {
	if err := i.Check(); err != nil {
		return err
	}
	return m.locked(ctx, func() error {
		r := m.realm(i.Realm)
		if r.identifierTaken(i) {
			return conflict()
		}
		if !r.owned(i.Account, "") {
			return notFound()
		}
		i.Created = store.Precise(i.Created)
		r.identifiers[i.ID] = i
		if i.Name != "" {
			r.identifierNames[accountKey(i.Name)] = i.ID
			return nil
		}
		r.identifierCodes[i.Code] = i.ID
		return nil
	})
}

// identifierTaken reports whether the id, name or code is another's.
func (r *realm) identifierTaken(i store.Identifier) bool {
	_, id := r.identifiers[i.ID]
	_, name := r.identifierNames[accountKey(i.Name)]
	_, code := r.identifierCodes[i.Code]
	return id || name && i.Name != "" || code
}

func (m *memory) Identifier(ctx context.Context, realm, id string) (i store.Identifier, err error) {
	err = m.locked(ctx, func() error {
		row, ok := m.realm(realm).identifiers[id]
		if !ok {
			return notFound()
		}
		i = row
		return nil
	})
	return i, err
}

func (m *memory) IdentifierNamed(ctx context.Context, realm, name string) (i store.Identifier, err error) {
	err = m.locked(ctx, func() error {
		key, err := store.NameKey(name)
		if err != nil {
			return notFound()
		}
		r := m.realm(realm)
		id, ok := r.identifierNames[key]
		if !ok {
			return notFound()
		}
		i = r.identifiers[id]
		return nil
	})
	return i, err
}

func (m *memory) IdentifierCoded(ctx context.Context, realm string, codes ...auth.Digest) (i store.Identifier, err error) {
	err = m.locked(ctx, func() error {
		r := m.realm(realm)
		for _, code := range codes {
			if id, ok := r.identifierCodes[code]; ok {
				i = r.identifiers[id]
				return nil
			}
		}
		return notFound()
	})
	return i, err
}

func (m *memory) IdentifiersOf(ctx context.Context, realm, account string) (rows []store.Identifier, err error) {
	err = m.locked(ctx, func() error {
		for _, i := range m.realm(realm).identifiers {
			if i.Account == account {
				rows = append(rows, i)
			}
		}
		return nil
	})
	slices.SortFunc(rows, func(a, b store.Identifier) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return rows, err
}

func (m *memory) DeleteIdentifier(ctx context.Context, realm, id string) error {
	return m.locked(ctx, func() error {
		r := m.realm(realm)
		if i, ok := r.identifiers[id]; ok {
			r.dropIdentifier(i)
		}
		return nil
	})
}

// dropIdentifiers removes those of an account.
func (r *realm) dropIdentifiers(account string) {
	for _, i := range r.identifiers {
		if i.Account == account {
			r.dropIdentifier(i)
		}
	}
}

func (r *realm) dropIdentifier(i store.Identifier) {
	delete(r.identifiers, i.ID)
	delete(r.identifierNames, accountKey(i.Name))
	delete(r.identifierCodes, i.Code)
}
