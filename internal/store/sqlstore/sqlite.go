package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

//go:embed migrations/sqlite/*.sql
var sqliteFiles embed.FS

var (
	// Each commit is synced: less has been seen to lose answered writes and
	// to revive revoked tokens. The log is moved into the file every 4,000
	// pages (16 MiB), four times the default, since a burst of logins touches
	// many index pages again and again.
	//
	// The timeouts, in milliseconds, are for locks that another process
	// holds: that of the one write while the store is opened, later
	// [Options.LockWait], and, while it repairs the log after a crash, that of
	// the readers.
	writerPragmas = []string{
		fmt.Sprintf("busy_timeout(%d)", defaultLockWait.Milliseconds()), "foreign_keys(1)", "synchronous(FULL)", "wal_autocheckpoint(4000)",
		"journal_size_limit(67108864)", "cache_size(-16384)",
	}
	readerPragmas = []string{
		fmt.Sprintf("busy_timeout(%d)", readerLockWait.Milliseconds()), "query_only(1)", "cache_size(-4096)",
	}
)

// readerLockWait is how long a read waits while another process repairs the log,
// less than who asks is patient for: SQLite waits in steps of up to 100 ms.
const readerLockWait = 150 * time.Millisecond

const (
	// beginImmediate holds the right to write at once, so that a transaction
	// cannot lose against another halfway.
	beginImmediate = "BEGIN IMMEDIATE"
	// dataVersion is a number that is another once a different connection has
	// committed, asked on one connection all the time.
	dataVersion = `PRAGMA data_version`
)

// sqliteFlavour returns what is particular to SQLite.
func sqliteFlavour() *flavour {
	files, err := fs.Sub(sqliteFiles, "migrations/sqlite")
	if err != nil {
		panic(err) // the path is a constant
	}
	return &flavour{
		migrations: files,
		begin:      beginImmediate,
		alone:      true,
		rebind:     asIs,
		foreign: `SELECT COUNT(*) FROM sqlite_master
			WHERE NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations')`,
		migrated: `SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_migrations'`,
		copied:   `SELECT COUNT(*) FROM sqlite_master WHERE name = 'copied_from'`,
		sequence: `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'changes'`,
		sweep: `DELETE FROM sessions WHERE row_id IN
			(SELECT row_id FROM sessions WHERE keep <= ? ORDER BY keep LIMIT ?)`,
		classify: classifySQLite,
	}
}

// OpenSQLite opens the store in the file at path. A file that is not there is
// made, for its owner only, and so is its folder. The schema is brought up to
// date; any number of processes may open one file at the same time. An error
// is one sentence that names the file. ctx bounds the opening only.
func OpenSQLite(ctx context.Context, path string, o Options) (store.Store, error) {
	d, err := openSQLite(ctx, path, sqliteFlavour(), o)
	if err != nil {
		return store.Store{}, err
	}
	return d.store(), nil
}

// openSQLite opens a store with more pragmas for the connection that writes.
func openSQLite(ctx context.Context, path string, f *flavour, o Options, extra ...string) (*database, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the store %q has no absolute path: %w", path, err)
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	p, err := openPools(path, append(writerPragmas[:len(writerPragmas):len(writerPragmas)], extra...))
	if err != nil {
		return nil, explain(path, err)
	}
	o = o.withDefaults()
	err = cmp.Or(prepare(ctx, f, p.writer, o), ownerOnly(path))
	if err == nil {
		p.place, err = presenceOf(path)
	}
	if err != nil {
		return nil, explain(path, errors.Join(err, p.readers.Close(), p.writer.Close()))
	}
	return newFile(f, p, o), nil
}

// openPools returns the connections to a file; none is open yet.
func openPools(path string, pragmas []string) (p pools, err error) {
	if p.writer, err = sql.Open("sqlite", dataSource(path, pragmas)); err != nil {
		return p, err
	}
	p.writer.SetMaxOpenConns(1)
	if p.readers, err = sql.Open("sqlite", dataSource(path, readerPragmas)); err != nil {
		return p, err
	}
	// One more than can be busy: the feed holds on to its own.
	p.reads = min(max(2*runtime.GOMAXPROCS(0), 4), 16)
	p.readers.SetMaxOpenConns(p.reads + 1)
	p.readers.SetMaxIdleConns(p.reads + 1)
	return p, nil
}

// dataSource names a file and what is set on each connection to it. The path
// is escaped, so that no character of it reads as a parameter.
func dataSource(path string, pragmas []string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// creating is held while a file is made. A process that closes a file gives up
// its locks on it (POSIX), those of another handle in the process included: so
// a file that may be a store in use is never opened here, and a new one is
// closed before anyone else looks.
var creating sync.Mutex

// createFile makes the file and its folder where they are missing: SQLite
// gives its other files the permissions of the first.
func createFile(path string) error {
	creating.Lock()
	defer creating.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the store %s cannot be made: %w", path, err)
	}
	at, err := os.Stat(path)
	if err == nil && !at.Mode().IsRegular() {
		return fmt.Errorf("the store %s cannot be opened: it is no regular file", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err // a path error names the file
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return fmt.Errorf("the store %s cannot be made: %w", path, err)
	}
	return f.Close()
}

// ownerOnly takes the file from everybody who is neither its owner nor of its
// group: it holds password hashes.
func ownerOnly(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		at, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if mode := at.Mode().Perm(); mode&0o007 != 0 {
			if err := os.Chmod(name, mode&^0o007); err != nil {
				return fmt.Errorf("everybody can read it and that cannot be changed: %w", err)
			}
		}
	}
	return nil
}

// classifySQLite says what an error of the driver means.
func classifySQLite(err error) fault {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return faultStore
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return faultConflict
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return faultAbsent
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_TOOBIG:
		return faultSize
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE:
		return faultOurs
	}
	return faultStore
}

// explain says in one sentence why the file at path cannot be a store.
func explain(path string, err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return fmt.Errorf("the store %s cannot be opened: %w", path, err)
	}
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // no room for a first page of the index of the log
		return fmt.Errorf("the disk that holds the store %s is full: %w", path, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file %s is not a database: name another, or move it away", path)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the store %s is damaged: restore it from a backup: %w", path, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("the store %s cannot be opened: its folder must be writable: %w", path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk that holds the store %s is full: %w", path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("the store %s is locked by another process: %w", path, err)
	}
	return fmt.Errorf("the store %s cannot be opened (code %s): %w", path, strconv.Itoa(e.Code()), err)
}
