package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// writer is the one connection that writes, with its statements.
type writer struct {
	flavour    *flavour
	pool       *sql.DB
	lockWait   time.Duration
	conn       *sql.Conn
	statements *statements
}

// begin starts a transaction, on a new connection where there is none.
func (w *writer) begin(ctx context.Context) (*tx, error) {
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.control(ctx, beginImmediate); err != nil {
		w.discard()
		return nil, err
	}
	return &tx{ctx: ctx, flavour: w.flavour, link: w}, nil
}

// connect takes a connection and sets how long it waits for a lock.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.statements = conn, newStatements(conn, w.flavour.rebind)
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.FormatInt(w.lockWait.Milliseconds(), 10)); err != nil {
		w.discard()
		return err
	}
	return nil
}

// exec implements [link].
func (w *writer) exec(ctx context.Context, query string, args []any) (int64, error) {
	st, err := w.statements.of(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// each implements [link].
func (w *writer) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	return w.statements.each(ctx, query, args, row)
}

// record implements [link].
func (w *writer) record(t *tx, c *store.Change) (err error) {
	c.Seq, err = t.number(insertChange, c.Realm, string(c.Kind), c.ID, millis(c.At))
	return err
}

// control runs a statement that starts, marks or ends a transaction.
func (w *writer) control(ctx context.Context, query string) error {
	st, err := w.statements.of(ctx, query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx)
	return err
}

// discard gives up the connection, and with it the transaction: after an
// error nobody can say in what state they are. The next one starts afresh.
func (w *writer) discard() {
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
	w.close()
}

// close ends the connection where there is one; the pool does not keep it.
func (w *writer) close() {
	if w.conn == nil {
		return
	}
	w.statements.close()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn, w.statements = nil, nil
}
