package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// backupTick is how often a backup tells how far it is.
const backupTick = 200 * time.Millisecond

// BackupSQLite writes the store in the file at path, as it is at one instant, to
// the new file at to, for its owner only. Gateways may go on reading and writing
// meanwhile. The copy is compact, is checked, and is on disk when the call
// returns; where that fails nothing is left. step is told, now and then, how many
// of about so many bytes are written.
func BackupSQLite(ctx context.Context, path, to string, step func(done, about int64)) (size int64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	db, err := openReader(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	var about int64
	err = db.QueryRowContext(ctx, `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`).Scan(&about)
	if err != nil {
		return 0, explain(path, err)
	}
	// The file is made here, for its owner alone and never in the place of
	// another. SQLite takes one that is empty.
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s is there already: a backup overwrites nothing", to)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return 0, fmt.Errorf("the backup cannot be made: %w", err)
	}
	defer func() {
		if err != nil { // a journal that is left would be played into the next file of that name
			_ = os.Remove(to + "-journal")
			err = errors.Join(err, os.Remove(to))
		}
	}()
	if err := vacuum(ctx, db.DB, to, func(done int64) { step(done, about) }); err != nil {
		if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_FULL {
			return 0, fmt.Errorf("the disk that holds the backup %s is full: nothing of it is left", to)
		}
		return 0, fmt.Errorf("the backup of %s cannot be made: %w", path, err)
	}
	if err := db.settled(); err != nil {
		return 0, err
	}
	if err := checkBackup(ctx, to); err != nil {
		return 0, err
	}
	return onDisk(to)
}

// vacuum writes a copy, and says how far it is.
func vacuum(ctx context.Context, db *sql.DB, to string, step func(done int64)) error {
	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, `VACUUM INTO ?`, to)
		done <- err
	}()
	tick := time.NewTicker(backupTick)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if at, err := os.Stat(to); err == nil {
				step(at.Size())
			}
		}
	}
}

func checkBackup(ctx context.Context, to string) error {
	abs, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dataSource(abs, []string{"query_only(1)"}))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var found string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found); err != nil {
		return fmt.Errorf("the backup cannot be read again: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("the store is damaged, and so is a backup of it: %s", found)
	}
	return nil
}

// onDisk has a file and the entry of its folder on disk, and returns its size.
func onDisk(name string) (size int64, err error) {
	for _, each := range []string{name, filepath.Dir(name)} {
		f, err := os.Open(each)
		if err != nil {
			return 0, err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return 0, fmt.Errorf("the backup is not on disk: %w", err)
		}
	}
	at, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return at.Size(), nil
}
