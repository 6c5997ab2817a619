package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// tx is the transaction under way. Writes of several callers run in it one
// after the other; each is either one statement or [tx.whole].
type tx struct {
	ctx     context.Context
	flavour *flavour
	link    link
	now     store.Time
	changes []store.Change
}

// link is the connection on which a transaction runs.
type link interface {
	// exec runs a statement and returns how many rows it changed.
	exec(ctx context.Context, query string, args []any) (int64, error)
	// each hands over the rows that a query yields.
	each(ctx context.Context, query string, args []any, row func(scanner) error) error
	// control runs a statement that marks a part of the transaction.
	control(ctx context.Context, query string) error
	// record stores a change and sets its sequence, or leaves both for the
	// end of the transaction.
	record(t *tx, c *store.Change) error
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) { return t.link.exec(t.ctx, query, args) }

// run executes statements that take the same values.
func (t *tx) run(queries []string, args ...any) error {
	for _, q := range queries {
		if _, err := t.exec(q, args...); err != nil {
			return err
		}
	}
	return nil
}

// number returns the one integer that a query yields.
func (t *tx) number(query string, args ...any) (n int64, err error) {
	found := false
	err = t.link.each(t.ctx, query, args, func(r scanner) error {
		found = true
		return r.Scan(&n)
	})
	if err == nil && !found {
		return 0, sql.ErrNoRows
	}
	return n, err
}

// lock runs a query that locks rows, where others write at the same time.
// What follows sees what they committed before.
func (t *tx) lock(query string, args ...any) error {
	if t.flavour.alone {
		return nil
	}
	_, err := t.exec(query, args...)
	return err
}

// texts returns the one text of each row that a query yields.
func (t *tx) texts(query string, args ...any) (list []string, err error) {
	err = t.link.each(t.ctx, query, args, func(r scanner) error {
		var s string
		err := r.Scan(&s)
		list = append(list, s)
		return err
	})
	return list, err
}

const insertChange = `INSERT INTO changes (realm, kind, id, at) VALUES (?, ?, ?, ?) RETURNING seq`

// record adds a change, which is handed out after the commit.
func (t *tx) record(realm string, kind store.ChangeKind, id string) error {
	c := store.Change{Realm: realm, Kind: kind, ID: id, At: t.now}
	if err := t.link.record(t, &c); err != nil {
		return err
	}
	t.changes = append(t.changes, c)
	return nil
}

// whole runs fn and undoes all of it when it fails, and nothing else.
func (t *tx) whole(fn func() error) error {
	if err := t.link.control(t.ctx, "SAVEPOINT whole"); err != nil {
		return err
	}
	before := len(t.changes)
	err := fn()
	if err == nil {
		return t.link.control(t.ctx, "RELEASE whole")
	}
	if t.flavour.fatal(err) {
		return err
	}
	t.changes = t.changes[:before]
	for _, undo := range []string{"ROLLBACK TO whole", "RELEASE whole"} {
		if e := t.link.control(t.ctx, undo); e != nil {
			return unavailable(e)
		}
	}
	return err
}

// attempt runs fn, after whose error the transaction goes on: where an error
// ends it, what fn did is undone.
func (t *tx) attempt(fn func() error) error {
	if t.flavour.alone {
		return fn()
	}
	return t.whole(fn)
}

// maxPasses bounds [tx.remove]: more exchanges, one after the other, than a
// client makes in the time that a call may take.
const maxPasses = 1000

var errOutrun = errors.New("rows are replaced faster than they are removed")

// remove hands pass, which removes what a condition selects and returns how
// much that was, to the database until there is nothing more. Where others
// write at the same time one pass may wait for an exchange that replaces a row
// by others, and remove the row without having seen those: the next one sees
// them. A pass that finds nothing has missed nothing, since whatever is on its
// way replaces a row that was to be found. Where there is no end to it nothing is
// removed, and that is an error.
func (t *tx) remove(pass func() (int, error)) (total int, err error) {
	for range maxPasses {
		n, err := pass()
		total += n
		if err != nil || n == 0 || t.flavour.alone {
			return total, err
		}
	}
	return 0, auth.Fail(auth.Unavailable, auth.ReasonStore, errOutrun)
}

// removeBy is remove by one statement.
func (t *tx) removeBy(query string, args ...any) (int, error) {
	return t.remove(func() (int, error) {
		n, err := t.exec(query, args...)
		return int(n), err
	})
}

// lost says why a conditional update changed no row: a conflict where the
// query still counts one, absence where it does not.
func (t *tx) lost(query string, args ...any) error {
	n, err := t.number(query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return absent()
	}
	return conflict()
}
