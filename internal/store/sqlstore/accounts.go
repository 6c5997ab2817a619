package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	accountColumns = `realm, id, username, username_key, email, password, roles, disabled, profile, settings,
	addresses, created, updated, last_login, version`
	selectAccount = `SELECT ` + accountColumns + ` FROM accounts `

	insertAccount     = `INSERT INTO accounts (` + accountColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertAccountName = `INSERT INTO account_names (realm, name, account) VALUES (?, ?, ?)`
	deleteAccountName = `DELETE FROM account_names WHERE realm = ? AND account = ?`
	accountByName     = selectAccount + `WHERE realm = ? AND id = (SELECT account FROM account_names WHERE realm = ? AND name = ?)`
	updateAccount     = `UPDATE accounts SET (` + accountColumns + `) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		WHERE realm = ? AND id = ? AND version = ?`
	countAccount = `SELECT COUNT(*) FROM accounts WHERE realm = ? AND id = ?`
	// lockAccount is followed by how: an account that is deleted waits for
	// what refers to it, and the other way round.
	lockAccount  = `SELECT 1 FROM accounts WHERE realm = ? AND id = ? `
	listAccounts = selectAccount + `WHERE realm = ? ORDER BY username_key LIMIT ? OFFSET ?`

	stampAccount stampQuery = `UPDATE accounts SET last_login = ? WHERE realm = ? AND id = ? AND last_login < ?`
)

// accountRow is an account on its way into the table.
type accountRow struct {
	realm, id string
	names     []string // folded, each once
	values    []any    // in the order of accountColumns
}

// InsertAccount implements [store.Accounts].
func (d *database) InsertAccount(ctx context.Context, a store.Account) error {
	r, err := encodeAccount(a)
	if err != nil {
		return err
	}
	return d.writeWhole(ctx, "insert_account", func(t *tx) error {
		if _, err := t.exec(insertAccount, r.values...); err != nil {
			return err
		}
		return t.nameAccount(r)
	})
}

func (t *tx) nameAccount(r accountRow) error {
	for _, name := range r.names {
		if _, err := t.exec(insertAccountName, r.realm, name, r.id); err != nil {
			return err
		}
	}
	return nil
}

// Account implements [store.Accounts].
func (d *database) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	name, err := store.NameKey(ref)
	if err != nil {
		return store.Account{}, absent()
	}
	return one(ctx, d, "account", d.readAccount, accountByName, realm, realm, name)
}

// UpdateAccount implements [store.Accounts].
func (d *database) UpdateAccount(ctx context.Context, a store.Account) error {
	version := a.Version
	a.Version++
	r, err := encodeAccount(a)
	if err != nil {
		return err
	}
	return d.writeWhole(ctx, "update_account", func(t *tx) error {
		n, err := t.exec(updateAccount, append(r.values, r.realm, r.id, version)...)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.lost(countAccount, r.realm, r.id)
		}
		if _, err := t.exec(deleteAccountName, r.realm, r.id); err != nil {
			return err
		}
		if err := t.nameAccount(r); err != nil {
			return err
		}
		return t.record(r.realm, store.SubjectChanged, r.id)
	})
}

// TouchAccount implements [store.Accounts]. The stamp is written with a later
// commit, within about a second, and seen by readers of this process at once.
func (d *database) TouchAccount(ctx context.Context, realm, id string, at store.Time) error {
	return d.touch(ctx, row{stampAccount, realm, id}, at)
}

// DeleteAccount implements [store.Accounts].
func (d *database) DeleteAccount(ctx context.Context, realm, id string) error {
	return d.writeWhole(ctx, "delete_account", func(t *tx) error {
		if err := t.lock(lockAccount+`FOR UPDATE`, realm, id); err != nil {
			return err
		}
		if _, err := t.removeBy(`DELETE FROM sessions WHERE realm = ? AND subject <> '' AND subject = ?`, realm, id); err != nil {
			return err
		}
		err := t.run([]string{
			`DELETE FROM memberships WHERE realm = ? AND account = ?`,
			`DELETE FROM accounts WHERE realm = ? AND id = ?`,
		}, realm, id)
		if err != nil {
			return err
		}
		if err := t.deleteKeys(realm, `account <> '' AND account = ?`, id); err != nil {
			return err
		}
		return t.record(realm, store.SubjectChanged, id)
	})
}

// ListAccounts implements [store.Accounts].
func (d *database) ListAccounts(ctx context.Context, realm string, page store.Page) ([]store.Account, error) {
	page, err := page.Bounds()
	if err != nil {
		return nil, err
	}
	return many(ctx, d, "list_accounts", d.readAccount, listAccounts, realm, page.Limit, page.Offset)
}

func encodeAccount(a store.Account) (r accountRow, err error) {
	if err := a.Check(); err != nil {
		return r, err
	}
	r.realm, r.id = a.Realm, a.ID
	var key string
	for _, name := range []string{a.ID, a.Email, a.Username} {
		if name == "" {
			continue
		}
		if key, err = store.NameKey(name); err != nil {
			return r, err
		}
		r.names = appendNew(r.names, key)
	}
	profile, err := json.Marshal(preciseProfile(a.Profile))
	if err != nil {
		return r, malformed("the profile has no JSON form")
	}
	r.values = []any{
		a.Realm, a.ID, a.Username, key, a.Email, a.Password.Reveal(), listText(a.Roles), a.Disabled, string(profile),
		listText(a.Settings), listText(a.Addresses), millis(a.Created), millis(a.Updated), millis(a.LastLogin), a.Version,
	}
	return r, nil
}

// readAccount reads a row, with a stamp that is not written yet.
func (d *database) readAccount(r scanner) (a store.Account, err error) {
	var key string
	var settings listColumn[store.Setting]
	err = r.Scan(&a.Realm, &a.ID, &a.Username, &key, &a.Email, (*secretColumn)(&a.Password), (*stringsColumn)(&a.Roles),
		&a.Disabled, jsonColumn[store.Profile]{&a.Profile}, &settings, (*prefixesColumn)(&a.Addresses),
		(*timeColumn)(&a.Created), (*timeColumn)(&a.Updated), (*timeColumn)(&a.LastLogin), &a.Version)
	a.Settings = settings
	a.LastLogin = d.touched.latest(row{stampAccount, a.Realm, a.ID}, a.LastLogin)
	return a, err
}

// preciseProfile cuts the times of p to what is kept elsewhere too.
func preciseProfile(p store.Profile) store.Profile {
	for _, t := range []**time.Time{&p.BirthDate, &p.LastDismissMessages} {
		if *t != nil {
			precise := store.Precise(**t)
			*t = &precise
		}
	}
	return p
}
