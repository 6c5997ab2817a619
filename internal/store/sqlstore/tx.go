package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// tx is the transaction under way. Writes of several callers run in it one
// after the other; each is either one statement or [tx.whole].
type tx struct {
	ctx     context.Context
	writer  *writer
	now     store.Time
	changes []store.Change
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	st, err := t.writer.statements.of(t.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

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
	st, err := t.writer.statements.of(t.ctx, query)
	if err != nil {
		return 0, err
	}
	err = st.QueryRowContext(t.ctx, args...).Scan(&n)
	return n, err
}

// texts returns the one text of each row that a query yields.
func (t *tx) texts(query string, args ...any) ([]string, error) {
	st, err := t.writer.statements.of(t.ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r scanner) (s string, err error) { return s, r.Scan(&s) })
}

const insertChange = `INSERT INTO changes (realm, kind, id, at) VALUES (?, ?, ?, ?) RETURNING seq`

// record adds a change, which is handed out after the commit.
func (t *tx) record(realm string, kind store.ChangeKind, id string) error {
	c := store.Change{Realm: realm, Kind: kind, ID: id, At: t.now}
	seq, err := t.number(insertChange, c.Realm, string(c.Kind), c.ID, millis(c.At))
	if err != nil {
		return err
	}
	c.Seq = seq
	t.changes = append(t.changes, c)
	return nil
}

// whole runs fn and undoes all of it when it fails, and nothing else.
func (t *tx) whole(fn func() error) error {
	if err := t.writer.control(t.ctx, "SAVEPOINT whole"); err != nil {
		return err
	}
	before := len(t.changes)
	err := fn()
	if err == nil {
		return t.writer.control(t.ctx, "RELEASE whole")
	}
	if t.writer.flavour.fatal(err) {
		return err
	}
	t.changes = t.changes[:before]
	for _, undo := range []string{"ROLLBACK TO whole", "RELEASE whole"} {
		if e := t.writer.control(t.ctx, undo); e != nil {
			return unavailable(e)
		}
	}
	return err
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
