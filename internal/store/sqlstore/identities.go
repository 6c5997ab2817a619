package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	identityColumns = `realm, id, account, type, created, updated, version`

	insertIdentity = `INSERT INTO identities (` + identityColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)`
	updateIdentity = `UPDATE identities SET (` + identityColumns + `) = (?, ?, ?, ?, ?, ?, ?)
		WHERE realm = ? AND id = ? AND version = ?`
	countIdentity     = `SELECT COUNT(*) FROM identities WHERE realm = ? AND id = ?`
	countIdentitiesOf = `SELECT COUNT(*) FROM identities WHERE realm = ? AND account = ?`
	ownersOfIdentity  = `SELECT account FROM identities WHERE realm = ? AND id = ?`
	selectIdentity    = `SELECT ` + identityColumns + ` FROM identities WHERE realm = ? `
	identityByID      = selectIdentity + `AND id = ?`
	identitiesOf      = selectIdentity + `AND account = ? ORDER BY created, id`
)

// InsertIdentity implements [store.Identities]. The transaction holds the
// right to write, or the account, before it looks, so that two processes cannot
// both find none.
func (d *database) InsertIdentity(ctx context.Context, i store.Identity, unlessAny bool) error {
	if err := i.Check(); err != nil {
		return err
	}
	return d.write(ctx, "insert_identity", func(t *tx) error {
		if unlessAny {
			if err := t.lock(lockAccount+`FOR NO KEY UPDATE`, i.Realm, i.Account); err != nil {
				return err
			}
			if n, err := t.number(countIdentitiesOf, i.Realm, i.Account); err != nil || n > 0 {
				return taken(err)
			}
		}
		_, err := t.exec(insertIdentity, encodeIdentity(i)...)
		return err
	})
}

// Identity implements [store.Identities].
func (d *database) Identity(ctx context.Context, realm, id string) (store.Identity, error) {
	return one(ctx, d, "identity", readIdentity, identityByID, realm, id)
}

// IdentitiesOf implements [store.Identities].
func (d *database) IdentitiesOf(ctx context.Context, realm, account string) ([]store.Identity, error) {
	return many(ctx, d, "identities", readIdentity, identitiesOf, realm, account)
}

// UpdateIdentity implements [store.Identities].
func (d *database) UpdateIdentity(ctx context.Context, i store.Identity) error {
	if err := i.Check(); err != nil {
		return err
	}
	version := i.Version
	i.Version++
	return d.writeWhole(ctx, "update_identity", func(t *tx) error {
		owners, err := t.texts(ownersOfIdentity, i.Realm, i.ID)
		if err != nil {
			return err
		}
		n, err := t.exec(updateIdentity, append(encodeIdentity(i), i.Realm, i.ID, version)...)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.lost(countIdentity, i.Realm, i.ID)
		}
		return t.moved(i, owners)
	})
}

// moved records, where the account of an identity is another, a change of the
// one that had it and of the one that has it.
func (t *tx) moved(i store.Identity, from []string) error {
	for _, owner := range from {
		if owner == i.Account {
			continue
		}
		for _, subject := range []string{owner, i.Account} {
			if err := t.record(i.Realm, store.SubjectChanged, subject); err != nil {
				return err
			}
		}
	}
	return nil
}

func encodeIdentity(i store.Identity) []any {
	return []any{i.Realm, i.ID, i.Account, i.Type, millis(i.Created), millis(i.Updated), i.Version}
}

func readIdentity(r scanner) (i store.Identity, err error) {
	err = r.Scan(&i.Realm, &i.ID, &i.Account, &i.Type, (*timeColumn)(&i.Created), (*timeColumn)(&i.Updated), &i.Version)
	return i, err
}
