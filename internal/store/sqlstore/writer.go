package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
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
	if err := w.control(ctx, w.flavour.begin); err != nil {
		w.discard()
		return nil, err
	}
	return &tx{ctx: ctx, writer: w}, nil
}

// connect takes a connection and sets how long it waits for a lock.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.statements = conn, newStatements(conn, w.flavour.rebind)
	if _, err := conn.ExecContext(ctx, w.flavour.patience(w.lockWait)); err != nil {
		w.discard()
		return err
	}
	return nil
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
