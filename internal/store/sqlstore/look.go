package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// reader is a file that is looked at without a change to it, also where neither
// it nor its folder can be written to.
type reader struct {
	*sql.DB
	path string
	// alone is whether nobody had it open: it is read without a lock then, and
	// was is what it was.
	alone bool
	was   os.FileInfo
}

// lookPragmas are set where the file is read-only, which says more than query_only
// does: that would keep a backup from being written.
var lookPragmas = []string{"busy_timeout(5000)", "cache_size(-4096)"}

// openReader opens a file, which must be there, to look at it.
//
// A log beside the file says that somebody has it open, or died with it: then it
// is read as everybody reads it, only that what the log holds is not moved into
// the file at the end. Without one it is read as if nobody could write to it,
// since SQLite would make a log beside it, and leave that.
func openReader(path string) (*reader, error) {
	at, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store %s: the gateway has not run with this configuration, or as another user", path)
	}
	if err != nil {
		return nil, err // a path error names the file
	}
	if !at.Mode().IsRegular() {
		return nil, fmt.Errorf("the store %s cannot be opened: it is no regular file", path)
	}
	r := &reader{path: path, alone: !logged(path), was: at}
	how := url.Values{"mode": {"ro"}}
	if r.alone {
		how.Set("immutable", "1")
	}
	r.DB, err = sql.Open("sqlite", dataSource(path, lookPragmas)+"&"+how.Encode())
	if err != nil {
		return nil, explain(path, err)
	}
	r.SetMaxOpenConns(2)
	return r, nil
}

// logged reports whether a file has a log beside it.
func logged(path string) bool {
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Lstat(path + suffix); err == nil {
			return true
		}
	}
	return false
}

// settled fails where somebody opened the file while it was read without a lock.
func (r *reader) settled() error {
	if !r.alone {
		return nil
	}
	now, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	if logged(r.path) || now.Size() != r.was.Size() || !now.ModTime().Equal(r.was.ModTime()) || !os.SameFile(now, r.was) {
		return fmt.Errorf("another process opened the store %s meanwhile: run it again", r.path)
	}
	return nil
}

// OpenToLook opens the store at a place, which must have the schema that this
// program knows, for those who read it. Nothing of it is changed, made or brought
// up to date, and calls that write fail.
func OpenToLook(ctx context.Context, p Place, o Options) (store.Store, error) {
	s, err := openSide(ctx, p, false)
	if err != nil {
		return store.Store{}, err
	}
	for _, c := range []*sql.Conn{s.conn, s.reader} {
		if err := c.Close(); err != nil { // back to the pool
			return store.Store{}, errors.Join(err, s.db.Close())
		}
	}
	return newDatabase(s.flavour, &onlooker{db: s.db, statements: newStatements(s.db, s.flavour.rebind)}, newTouches(), o.withDefaults()).store(), nil
}

// onlooker is the engine of a database that is only read.
type onlooker struct {
	db         *sql.DB
	statements *statements
}

var errLooking = auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("the store was opened to be looked at"))

func (*onlooker) submit(context.Context, func(*tx) error) error { return errLooking }

func (*onlooker) insert(context.Context, sessionRow) error { return errLooking }

func (e *onlooker) first(ctx context.Context, query string, args []any, row func(scanner) error) error {
	st, err := e.statements.of(ctx, query) //nolint:sqlclosecheck // it is kept, and closed with the others
	if err != nil {
		return err
	}
	return row(st.QueryRowContext(ctx, args...))
}

func (e *onlooker) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	return e.statements.each(ctx, query, args, row)
}

func (*onlooker) search(context.Context, *found, store.Page, func(scanner) error) error {
	return errLooking
}

func (*onlooker) wait(context.Context, int64) error { return errLooking }

func (*onlooker) subscribe(func([]store.Change)) (cancel func()) { return func() {} }

func (*onlooker) poke() {}

func (*onlooker) over() bool { return false }

func (e *onlooker) close() error {
	e.statements.close()
	return e.db.Close()
}
