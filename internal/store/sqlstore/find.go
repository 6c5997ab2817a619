package sqlstore

import (
	"context"
	"database/sql"

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
	where := condition{values: []any{realm, millis(store.Precise(d.now()))}}
	where.add(q.Where)
	f := found{
		from:   ` FROM sessions WHERE realm = ? AND keep > ? AND ` + where.text.String(),
		values: where.values,
		order:  orderBy(q.Order),
	}
	if err := d.touched.steady(func() error { return f.read(ctx, d, page) }); err != nil {
		return nil, 0, d.flavour.failure(err)
	}
	return f.rows, f.total, nil
}

// found is what a query selects.
type found struct {
	from   string
	values []any
	order  string

	rows  []store.Session
	total int
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
	count := d.flavour.rebind(`SELECT COUNT(*)` + f.from)
	if err := t.QueryRowContext(ctx, count, f.values...).Scan(&f.total); err != nil {
		return err
	}
	list := d.flavour.rebind(`SELECT ` + sessionColumns + f.from + ` ORDER BY ` + f.order + ` LIMIT ? OFFSET ?`)
	rows, err := t.QueryContext(ctx, list, append(f.values, page.Limit, page.Offset)...)
	if err != nil {
		return err
	}
	f.rows, err = collect(rows, d.readSession)
	return err
}
