package sqlstore

import (
	"context"
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
	read := func() error {
		f.rows = nil
		return d.engine.search(ctx, f, page, func(r scanner) error {
			s, err := d.readSession(r)
			f.rows = append(f.rows, s)
			return err
		})
	}
	if err := d.touched.steady(read); err != nil {
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

func find(realm string, now time.Time, q store.SessionQuery) *found {
	where := condition{values: []any{realm, millis(store.Precise(now))}}
	where.add(q.Where)
	from := ` FROM sessions WHERE realm = ? AND keep > ? AND ` + where.text.String()
	return &found{
		count:  `SELECT COUNT(*)` + from,
		list:   `SELECT ` + sessionColumns + from + ` ORDER BY ` + orderBy(q.Order, narrow(q.Where)) + ` LIMIT ? OFFSET ?`,
		values: where.values,
	}
}
