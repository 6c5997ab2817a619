package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var errPooled = errors.New("a pooler in between gives connections to others between transactions: have it pool sessions (pool_mode = session), or lead past it")

// ownConnection returns an error where a pooler gives out one connection to the
// server to several clients in turn. Prepared statements, LISTEN and locks are
// then somebody else's, and much seems to work. conn is one of db.
func ownConnection(ctx context.Context, db *sql.DB, conn *sql.Conn) error {
	told, served, err := processes(ctx, conn)
	if err != nil || told == served {
		return err // no pooler that could
	}
	other, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close() }()
	const looks = 5
	var mine, others []uint32
	for range looks {
		_, a, err := processes(ctx, conn)
		if err != nil {
			return err
		}
		_, b, err := processes(ctx, other)
		if err != nil {
			return err
		}
		mine, others = append(mine, a), append(others, b)
	}
	if shared(mine, others) {
		return errPooled
	}
	return nil
}

// shared reports whether two connections that are open at the same time were ever
// served by the same process, or one of them by several.
func shared(mine, others []uint32) bool {
	for i := range mine {
		if mine[i] == others[i] || mine[i] != mine[0] || others[i] != others[0] {
			return true
		}
	}
	return false
}

// processes are that which a connection was told of at its beginning, and that
// which serves it now. A pooler tells of one that does not exist.
func processes(ctx context.Context, conn *sql.Conn) (told, served uint32, err error) {
	err = conn.Raw(func(driver any) error {
		c := driver.(*stdlib.Conn).Conn()
		told = c.PgConn().PID()
		// Not prepared, since that may be what goes wrong.
		return c.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&served)
	})
	return told, served, err
}
