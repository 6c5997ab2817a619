package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	signingKeyColumns = `algorithm, key_use, sealed, created, retired, expires, longest`
	insertSigningKey  = `INSERT INTO signing_keys (id, ` + signingKeyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	countActive       = `SELECT COUNT(*) FROM signing_keys WHERE key_use = ? AND retired = ?`
	countThisActive   = `SELECT COUNT(*) FROM signing_keys WHERE key_use = ? AND retired = ? AND id = ?`
	updateSigningKey  = `UPDATE signing_keys SET (` + signingKeyColumns + `) = (?, ?, ?, ?, ?, ?, ?) WHERE id = ?`
	retireSigningKeys = `UPDATE signing_keys SET retired = ?, expires = ? + longest WHERE key_use = ? AND retired = ?`
	raiseSigningKey   = `UPDATE signing_keys SET longest = CASE WHEN longest < ? THEN ? ELSE longest END WHERE id = ? AND retired = ?`
	deleteSigningKey  = `DELETE FROM signing_keys WHERE id = ?`
	selectSigningKeys = `SELECT id, ` + signingKeyColumns + ` FROM signing_keys ORDER BY created, id`
)

// lockSigning lets one transaction at a time decide which key signs: there is no
// row that all of them would meet at.
const lockSigning = `SELECT pg_advisory_xact_lock(1197433443, 2)`

// InsertSigningKey implements [store.SigningKeys]. The transaction holds the
// right to write before it looks, so that two processes cannot both find none.
func (d *database) InsertSigningKey(ctx context.Context, k store.SigningKey, unlessActive bool) error {
	if err := k.Check(); err != nil {
		return err
	}
	values := append([]any{k.ID}, encodeSigningKey(k)...)
	return d.write(ctx, "insert_signing_key", func(t *tx) error {
		if err := t.lock(lockSigning); err != nil {
			return err
		}
		if unlessActive {
			if n, err := t.number(countActive, k.Use, noTime); err != nil || n > 0 {
				return taken(err)
			}
		}
		_, err := t.exec(insertSigningKey, values...)
		return err
	})
}

// taken returns err, or where there is none, that something is there already.
func taken(err error) error {
	if err != nil {
		return err
	}
	return conflict()
}

// SigningKeys implements [store.SigningKeys].
func (d *database) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	return many(ctx, d, "signing_keys", readSigningKey, selectSigningKeys)
}

// UpdateSigningKey implements [store.SigningKeys].
func (d *database) UpdateSigningKey(ctx context.Context, k store.SigningKey) error {
	if err := k.Check(); err != nil {
		return err
	}
	values := append(encodeSigningKey(k), k.ID)
	return d.write(ctx, "update_signing_key", func(t *tx) error {
		n, err := t.exec(updateSigningKey, values...)
		if err == nil && n == 0 {
			return absent()
		}
		return err
	})
}

// RotateSigningKey implements [store.SigningKeys]. What the old keys were
// raised to is read where it is written, so that no raise falls in between.
func (d *database) RotateSigningKey(ctx context.Context, id string, next store.SigningKey, beyond time.Duration) error {
	if err := next.Check(); err != nil {
		return err
	}
	values := append([]any{next.ID}, encodeSigningKey(next)...)
	at, end := millis(next.Created), millis(next.Created.Add(beyond))
	return d.write(ctx, "rotate_signing_key", func(t *tx) error {
		if err := t.lock(lockSigning); err != nil {
			return err
		}
		n, err := t.number(countThisActive, next.Use, noTime, id)
		if err != nil || n == 0 {
			return taken(err)
		}
		return t.whole(func() error {
			if _, err := t.exec(retireSigningKeys, at, end, next.Use, noTime); err != nil {
				return err
			}
			if _, err := t.exec(insertSigningKey, values...); err != nil {
				return err
			}
			return t.record("", store.SigningKeysChanged, "")
		})
	})
}

// RaiseSigningKey implements [store.SigningKeys].
func (d *database) RaiseSigningKey(ctx context.Context, id string, life time.Duration) error {
	ms := life.Milliseconds()
	return d.write(ctx, "raise_signing_key", func(t *tx) error {
		n, err := t.exec(raiseSigningKey, ms, ms, id, noTime)
		if err == nil && n == 0 {
			return absent()
		}
		return err
	})
}

// DeleteSigningKey implements [store.SigningKeys].
func (d *database) DeleteSigningKey(ctx context.Context, id string) error {
	return d.write(ctx, "delete_signing_key", func(t *tx) error {
		_, err := t.exec(deleteSigningKey, id)
		return err
	})
}

func encodeSigningKey(k store.SigningKey) []any {
	return []any{k.Algorithm, k.Use, blob(k.Sealed), millis(k.Created), millis(k.Retired), millis(k.Expires), k.Longest.Milliseconds()}
}

func readSigningKey(r scanner) (k store.SigningKey, err error) {
	err = r.Scan(&k.ID, &k.Algorithm, &k.Use, &k.Sealed, (*timeColumn)(&k.Created), (*timeColumn)(&k.Retired), (*timeColumn)(&k.Expires),
		(*durationColumn)(&k.Longest))
	return k, err
}
