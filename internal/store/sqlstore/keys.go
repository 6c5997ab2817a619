package sqlstore

import (
	"context"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// keyColumns are those that the store does not choose.
	keyColumns = `realm, digest, prefix, last_four, name, description, account, tenant, gateway, scopes, permissions,
	client_secret, created, expires, revoked, last_used, addresses, version`
	keyValues   = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`
	insertKey   = `INSERT INTO keys (` + keyColumns + `) VALUES (` + keyValues + `) RETURNING id`
	updateKey   = `UPDATE keys SET (` + keyColumns + `) = (` + keyValues + `) WHERE realm = ? AND id = ? AND version = ?`
	countKey    = `SELECT COUNT(*) FROM keys WHERE realm = ? AND id = ?`
	selectKey   = `SELECT id, ` + keyColumns + ` FROM keys WHERE realm = ? `
	keyByDigest = selectKey + `AND digest = ?`
	keyByID     = selectKey + `AND id = ?`

	deleteKey         = `DELETE FROM keys WHERE realm = ? AND id = CAST(? AS BIGINT)`
	deleteKeySessions = `DELETE FROM sessions WHERE realm = ? AND key_id <> 0 AND key_id = CAST(? AS BIGINT)`

	stampKey stampQuery = `UPDATE keys SET last_used = ? WHERE realm = ? AND id = ? AND last_used < ?`
)

// InsertKey implements [store.Keys]. [auth.NotFound] without the account or
// the tenant that it names.
func (d *database) InsertKey(ctx context.Context, k store.Key) (int64, error) {
	values, err := encodeKey(k)
	if err != nil {
		return 0, err
	}
	return result(ctx, d, "insert_key", func(t *tx) (int64, error) {
		if err := t.owned(k.Realm, k.Account, k.Tenant); err != nil {
			return 0, err
		}
		return t.number(insertKey, values...)
	})
}

// owned fails unless the account and the tenant are there, or not named.
func (t *tx) owned(realm, account, tenant string) error {
	if account != "" {
		if err := t.lock(lockAccount+`FOR KEY SHARE`, realm, account); err != nil {
			return err
		}
		if n, err := t.number(countAccount, realm, account); err != nil || n == 0 {
			return missing(err)
		}
	}
	if tenant != "" {
		if err := t.lock(lockTenant+`FOR KEY SHARE`, realm, tenant); err != nil {
			return err
		}
		if n, err := t.number(countTenant, realm, tenant); err != nil || n == 0 {
			return missing(err)
		}
	}
	return nil
}

// missing returns err, or where there is none, that something is not there.
func missing(err error) error {
	if err != nil {
		return err
	}
	return absent()
}

// KeyByDigest implements [store.Keys].
func (d *database) KeyByDigest(ctx context.Context, realm string, digest auth.Digest) (store.Key, error) {
	return one(ctx, d, "key", d.readKey, keyByDigest, realm, digest[:])
}

// Key implements [store.Keys].
func (d *database) Key(ctx context.Context, realm string, id int64) (store.Key, error) {
	return one(ctx, d, "key", d.readKey, keyByID, realm, id)
}

// UpdateKey implements [store.Keys].
func (d *database) UpdateKey(ctx context.Context, k store.Key) error {
	version := k.Version
	k.Version++
	values, err := encodeKey(k)
	if err != nil {
		return err
	}
	values = append(values, k.Realm, k.ID, version)
	return d.writeWhole(ctx, "update_key", func(t *tx) error {
		n, err := t.exec(updateKey, values...)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.lost(countKey, k.Realm, k.ID)
		}
		if err := t.owned(k.Realm, k.Account, k.Tenant); err != nil {
			return err
		}
		return t.record(k.Realm, store.KeyChanged, strconv.FormatInt(k.ID, 10))
	})
}

// TouchKey implements [store.Keys], as TouchAccount does.
func (d *database) TouchKey(ctx context.Context, realm string, id int64, at store.Time) error {
	return d.touch(ctx, row{stampKey, realm, id}, at)
}

// ListKeys implements [store.Keys].
func (d *database) ListKeys(ctx context.Context, realm string, f store.KeyFilter, page store.Page) ([]store.Key, error) {
	page, err := page.Bounds()
	if err != nil {
		return nil, err
	}
	query, values := selectKey, []any{realm}
	if f.Account != "" {
		query, values = query+`AND account <> '' AND account = ? `, append(values, f.Account)
	}
	if f.Tenant != "" {
		query, values = query+`AND tenant <> '' AND tenant = ? `, append(values, f.Tenant)
	}
	return many(ctx, d, "list_keys", d.readKey, query+`ORDER BY id LIMIT ? OFFSET ?`, append(values, page.Limit, page.Offset)...)
}

// deleteKeys removes the keys that a condition selects, with the sessions that
// were obtained with them. Each is a change of its own: such a session may be
// another subject's.
func (t *tx) deleteKeys(realm, where, value string) error {
	ids, err := t.texts(`SELECT CAST(id AS TEXT) FROM keys WHERE realm = ? AND `+where+` ORDER BY keys.id`, realm, value)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.removeBy(deleteKeySessions, realm, id); err != nil {
			return err
		}
		if _, err := t.exec(deleteKey, realm, id); err != nil {
			return err
		}
		if err := t.record(realm, store.KeyChanged, id); err != nil {
			return err
		}
	}
	return nil
}

func encodeKey(k store.Key) ([]any, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	return []any{
		k.Realm, digestBytes(k.Digest), k.Prefix, k.LastFour, k.Name, k.Description, k.Account, k.Tenant, k.Gateway,
		listText(k.Scopes), int64(k.Permissions), digestBytes(k.ClientSecret), millis(k.Created), millis(k.Expires),
		millis(k.Revoked), millis(k.LastUsed), listText(k.Addresses), k.Version,
	}, nil
}

// readKey reads a row, with a stamp that is not written yet.
func (d *database) readKey(r scanner) (k store.Key, err error) {
	err = r.Scan(&k.ID, &k.Realm, (*digestColumn)(&k.Digest), &k.Prefix, &k.LastFour, &k.Name, &k.Description, &k.Account,
		&k.Tenant, &k.Gateway, (*stringsColumn)(&k.Scopes), (*uint8)(&k.Permissions), (*digestColumn)(&k.ClientSecret),
		(*timeColumn)(&k.Created), (*timeColumn)(&k.Expires), (*timeColumn)(&k.Revoked), (*timeColumn)(&k.LastUsed),
		(*prefixesColumn)(&k.Addresses), &k.Version)
	k.LastUsed = d.touched.latest(row{stampKey, k.Realm, k.ID}, k.LastUsed)
	return k, err
}
