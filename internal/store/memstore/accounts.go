package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertAccount(ctx context.Context, a store.Account) error {
	if err := a.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(a.Realm)
		if r.accountNameTaken(a, "") {
			return nil, conflict()
		}
		r.putAccount(a)
		return nil, nil
	})
}

func (m *memory) Account(ctx context.Context, realm, ref string) (a store.Account, err error) {
	err = m.locked(ctx, func() error {
		r := m.realm(realm)
		key, err := store.NameKey(ref)
		if err != nil {
			return notFound()
		}
		id, ok := r.accountNames[key]
		if !ok {
			return notFound()
		}
		a = copyAccount(r.accounts[id])
		return nil
	})
	return a, err
}

func (m *memory) UpdateAccount(ctx context.Context, a store.Account) error {
	if err := a.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(a.Realm)
		old, ok := r.accounts[a.ID]
		if !ok {
			return nil, notFound()
		}
		if old.Version != a.Version || r.accountNameTaken(a, a.ID) {
			return nil, conflict()
		}
		r.dropAccountNames(old)
		a.Version++
		r.putAccount(a)
		return subjectChanged(a.Realm, a.ID), nil
	})
}

func (m *memory) TouchAccount(ctx context.Context, realm, id string, at store.Time) error {
	return m.locked(ctx, func() error {
		r := m.realm(realm)
		if a, ok := r.accounts[id]; ok {
			a.LastLogin = later(a.LastLogin, at)
			r.accounts[id] = a
		}
		return nil
	})
}

func (m *memory) DeleteAccount(ctx context.Context, realm, id string) error {
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(realm)
		if a, ok := r.accounts[id]; ok {
			r.dropAccountNames(a)
			delete(r.accounts, id)
		}
		maps.DeleteFunc(r.memberships, func(_ membershipID, row store.Membership) bool { return row.Account == id })
		maps.DeleteFunc(r.identities, func(_ string, row store.Identity) bool { return row.Account == id })
		r.dropIdentifiers(id)
		changes := subjectChanged(realm, id)
		changes = append(changes, r.dropKeys(func(k store.Key) bool { return k.Account == id })...)
		r.dropSessions(func(s store.Session) bool { return s.Subject == id })
		return changes, nil
	})
}

func (m *memory) ListAccounts(ctx context.Context, realm string, page store.Page) (rows []store.Account, err error) {
	err = m.locked(ctx, func() error {
		rows = slices.SortedFunc(maps.Values(m.realm(realm).accounts), func(a, b store.Account) int {
			return cmp.Compare(accountKey(a.Username), accountKey(b.Username))
		})
		if rows, err = cut(rows, page); err != nil {
			return err
		}
		for i, a := range rows {
			rows[i] = copyAccount(a)
		}
		return nil
	})
	return rows, err
}

// accountNameTaken reports whether another account than self has a name of a's.
func (r *realm) accountNameTaken(a store.Account, self string) bool {
	return slices.ContainsFunc(accountKeys(a), func(key string) bool {
		id, ok := r.accountNames[key]
		return ok && id != self
	})
}

func (r *realm) putAccount(a store.Account) {
	a = copyAccount(a)
	r.accounts[a.ID] = a
	for _, key := range accountKeys(a) {
		r.accountNames[key] = a.ID
	}
}

func (r *realm) dropAccountNames(a store.Account) {
	for _, key := range accountKeys(a) {
		delete(r.accountNames, key)
	}
}

// accountKeys returns the folded names of an account that passed its Check.
func accountKeys(a store.Account) []string {
	keys := []string{accountKey(a.ID), accountKey(a.Username)}
	if a.Email != "" {
		keys = append(keys, accountKey(a.Email))
	}
	return keys
}

// accountKey folds a name that is known to fold.
func accountKey(name string) string {
	key, _ := store.NameKey(name)
	return key
}

func subjectChanged(realm, id string) []store.Change {
	return []store.Change{{Realm: realm, Kind: store.SubjectChanged, ID: id}}
}

// copyAccount returns a as it is kept: sharing nothing, with precise times.
func copyAccount(a store.Account) store.Account {
	a.Roles, a.Settings, a.Addresses = slices.Clone(a.Roles), slices.Clone(a.Settings), slices.Clone(a.Addresses)
	a.Profile.Image = slices.Clone(a.Profile.Image)
	a.Profile.BirthDate = copyTime(a.Profile.BirthDate)
	a.Profile.LastDismissMessages = copyTime(a.Profile.LastDismissMessages)
	a.Created, a.Updated, a.LastLogin = store.Precise(a.Created), store.Precise(a.Updated), store.Precise(a.LastLogin)
	return a
}

func copyTime(t *store.Time) *store.Time {
	if t == nil {
		return nil
	}
	p := store.Precise(*t)
	return &p
}
