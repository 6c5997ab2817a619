package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// walPatience is how long the change to the write-ahead log is tried,
	// walPause how long it is left alone in between.
	walPatience = 10 * time.Second
	walPause    = 10 * time.Millisecond
)

// prepare makes the file a store of the latest schema, with a write-ahead log.
func prepare(ctx context.Context, f *flavour, pool *sql.DB, o Options) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to its pool
	if err := keepLog(ctx, conn); err != nil {
		return err
	}
	if err := migrate(ctx, f, conn, o.Now()); err != nil || o.halfToo {
		return err
	}
	return whole(ctx, f, conn)
}

// keepLog switches to the write-ahead log, with which readers and the writer
// do not wait for each other. Of two processes that switch at the same time
// one is told that the file is locked, whatever the timeout: it tries again.
func keepLog(ctx context.Context, conn *sql.Conn) error {
	patience := time.NewTimer(walPatience)
	defer patience.Stop()
	pause := time.NewTicker(walPause)
	defer pause.Stop()
	for {
		var mode string
		err := conn.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("its file system keeps no write-ahead log (mode %s)", mode)
		}
		if err == nil || !busy(err) {
			return err
		}
		select {
		case <-patience.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

func busy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
