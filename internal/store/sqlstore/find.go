package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// FindSessions implements [store.Sessions].
func (d *database) FindSessions(ctx context.Context, realm string, q store.SessionQuery) (rows []store.Session, total int, err error) {
	defer d.observed("find_sessions", d.now(), &err)
	page, err := q.Page.Bounds()
	if err != nil {
		return nil, 0, err
	}
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	f := find(realm, d.now(), q)
	if err := d.touched.steady(func() error { return f.read(ctx, d, page) }); err != nil {
		return nil, 0, d.flavour.failure(err)
	}
	return f.rows, f.total, nil
}

// found is what a query selects: two statements, which take the same values,
// the second beside them a limit and an offset.
type found struct {
	count, list string
	values      []any

	rows  []store.Session
	total int
}

func find(realm string, now time.Time, q store.SessionQuery) found {
	where := condition{values: []any{realm, millis(store.Precise(now))}}
	where.add(q.Where)
	from := ` FROM sessions WHERE realm = ? AND keep > ? AND ` + where.text.String()
	return found{
		count:  `SELECT COUNT(*)` + from,
		list:   `SELECT ` + sessionColumns + from + ` ORDER BY ` + orderBy(q.Order, narrow(q.Where)) + ` LIMIT ? OFFSET ?`,
		values: where.values,
	}
}

// read reads the rows of a page and how many there are in one transaction, so
// that they agree.
func (f *found) read(ctx context.Context, d *database, page store.Page) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	defer d.end()
	t, err := d.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // it has changed nothing
	if err := t.QueryRowContext(ctx, d.flavour.rebind(f.count), f.values...).Scan(&f.total); err != nil {
		return err
	}
	rows, err := t.QueryContext(ctx, d.flavour.rebind(f.list), append(f.values, page.Limit, page.Offset)...)
	if err != nil {
		return err
	}
	f.rows, err = collect(rows, d.readSession)
	return err
}
