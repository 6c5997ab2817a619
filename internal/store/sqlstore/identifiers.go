package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	insertIdentifier = `INSERT INTO identifiers (realm, id, account, name, name_key, pass_code, code, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	deleteIdentifier = `DELETE FROM identifiers WHERE realm = ? AND id = ?`
	selectIdentifier = `SELECT realm, id, account, name, pass_code, code, created FROM identifiers WHERE realm = ? `
	identifierByID   = selectIdentifier + `AND id = ?`
	identifierByName = selectIdentifier + `AND name_key = ?`
	identifierByCode = selectIdentifier + `AND code = ?`
	identifiersOf    = selectIdentifier + `AND account = ? ORDER BY created, id`
)

// InsertIdentifier implements [store.Identifiers].
func (d *database) InsertIdentifier(ctx context.Context, i store.Identifier) error {
	values, err := encodeIdentifier(i)
	if err != nil {
		return err
	}
	return d.write(ctx, "insert_identifier", func(t *tx) error {
		_, err := t.exec(insertIdentifier, values...)
		return err
	})
}

// Identifier implements [store.Identifiers].
func (d *database) Identifier(ctx context.Context, realm, id string) (store.Identifier, error) {
	return one(ctx, d, "identifier", readIdentifier, identifierByID, realm, id)
}

// IdentifierNamed implements [store.Identifiers].
func (d *database) IdentifierNamed(ctx context.Context, realm, name string) (store.Identifier, error) {
	key, err := store.NameKey(name)
	if err != nil {
		return store.Identifier{}, absent()
	}
	return one(ctx, d, "identifier", readIdentifier, identifierByName, realm, key)
}

// IdentifierCoded implements [store.Identifiers]. There are as many codes as
// the key ring has keys: few.
func (d *database) IdentifierCoded(ctx context.Context, realm string, codes ...auth.Digest) (store.Identifier, error) {
	for _, code := range codes {
		i, err := one(ctx, d, "identifier", readIdentifier, identifierByCode, realm, digestBytes(code))
		if !auth.IsNotFound(err) {
			return i, err
		}
	}
	return store.Identifier{}, absent()
}

// IdentifiersOf implements [store.Identifiers].
func (d *database) IdentifiersOf(ctx context.Context, realm, account string) ([]store.Identifier, error) {
	return many(ctx, d, "identifiers", readIdentifier, identifiersOf, realm, account)
}

// DeleteIdentifier implements [store.Identifiers].
func (d *database) DeleteIdentifier(ctx context.Context, realm, id string) error {
	return d.write(ctx, "delete_identifier", func(t *tx) error {
		_, err := t.exec(deleteIdentifier, realm, id)
		return err
	})
}

func encodeIdentifier(i store.Identifier) ([]any, error) {
	if err := i.Check(); err != nil {
		return nil, err
	}
	var key any // null for a code
	if i.Name != "" {
		folded, err := store.NameKey(i.Name)
		if err != nil {
			return nil, err
		}
		key = folded
	}
	return []any{i.Realm, i.ID, i.Account, i.Name, key, i.PassCode.Reveal(), digestBytes(i.Code), millis(i.Created)}, nil
}

func readIdentifier(r scanner) (i store.Identifier, err error) {
	err = r.Scan(&i.Realm, &i.ID, &i.Account, &i.Name, (*secretColumn)(&i.PassCode), (*digestColumn)(&i.Code),
		(*timeColumn)(&i.Created))
	return i, err
}
