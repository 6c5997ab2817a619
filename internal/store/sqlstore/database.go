package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Options are what a store is given beside its place. The zero value works.
type Options struct {
	// Now is the clock by which sessions come to their end and changes are
	// dated; [time.Now] where it is nil.
	Now func() time.Time
	// Observe is told how long each call took, by a short stable name such as
	// "session" or "insert_session", and its error. "commit" is a whole
	// transaction, shared by the calls that it carries. It may be called from
	// any goroutine and must not block. nil is nobody.
	Observe func(op string, took time.Duration, err error)
	// LockWait is how long a write waits while another process writes, before
	// it is [auth.Unavailable]; 0 is 5 s, which suits a command. Who answers
	// requests waits less: a second write may wait for the first to give up,
	// and for as long again.
	LockWait time.Duration
}

// defaultLockWait is also how long opening waits, whatever the options.
const defaultLockWait = 5 * time.Second

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, error) {}
	}
	if o.LockWait == 0 {
		o.LockWait = defaultLockWait
	}
	return o
}

// database implements every interface of package store.
type database struct {
	flavour    *flavour
	now        func() time.Time
	observe    func(op string, took time.Duration, err error)
	readers    *sql.DB
	reading    chan struct{} // one token for each read under way
	statements *statements
	committer  *committer
	touched    *touches
	feed       *feed
	place      *presence
	shut       func() error
}

// pools are the connections of a database: those that read, with how many may
// do so at once, and the one that writes; and where they lead to.
type pools struct {
	readers, writer *sql.DB
	reads           int
	place           *presence
}

// newDatabase returns a store over a schema that is up to date.
func newDatabase(f *flavour, p pools, o Options) *database {
	d := &database{
		flavour: f, now: o.Now, observe: o.Observe,
		readers: p.readers, reading: make(chan struct{}, p.reads), statements: newStatements(p.readers, f.rebind),
		touched: newTouches(), feed: newFeed(f, p.readers, p.place), place: p.place,
	}
	d.committer = &committer{
		writer: &writer{flavour: f, pool: p.writer, lockWait: o.LockWait},
		place:  p.place, touched: d.touched, now: o.Now, observe: o.Observe, publish: d.feed.publish,
	}
	d.committer.start()
	d.shut = sync.OnceValue(func() error { return d.close(p) })
	return d
}

// store returns d as the parts that it is.
func (d *database) store() store.Store {
	return store.Store{
		Accounts: d, Memberships: d, Tenants: d, Units: d, Identities: d, Identifiers: d, Keys: d,
		Sessions: d, SigningKeys: d, Changes: d, Close: d.shut,
	}
}

// close finishes the writes under way and lets go of the connections, the
// writing one last: it moves the log into the file.
func (d *database) close(p pools) error {
	d.committer.close()
	d.feed.close()
	d.statements.close()
	err := p.readers.Close()
	d.committer.writer.close()
	if e := p.writer.Close(); err == nil {
		err = e
	}
	return d.flavour.failure(err)
}

// write has a call's statement carried out and returns when it is durable.
func (d *database) write(ctx context.Context, op string, do func(*tx) error) (err error) {
	defer d.observed(op, d.now(), &err)
	return d.flavour.failure(d.committer.submit(ctx, do))
}

// writeWhole is write for several statements: all of them or none.
func (d *database) writeWhole(ctx context.Context, op string, do func(*tx) error) error {
	return d.write(ctx, op, func(t *tx) error {
		return t.whole(func() error { return do(t) })
	})
}

// result is write for a statement that yields something.
func result[T any](ctx context.Context, d *database, op string, do func(*tx) (T, error)) (T, error) {
	var v, none T
	err := d.write(ctx, op, func(t *tx) (err error) {
		v, err = do(t)
		return err
	})
	if err != nil {
		return none, err // v may still be written to
	}
	return v, nil
}

// observed reports a call; it is deferred.
func (d *database) observed(op string, start time.Time, err *error) {
	d.observe(op, d.now().Sub(start), *err)
}

// scanner is one row of an answer.
type scanner interface{ Scan(to ...any) error }

// begin waits for its turn to read; end follows without an error.
func (d *database) begin(ctx context.Context) error {
	if err := cmp.Or(ctx.Err(), d.place.check()); err != nil {
		return err
	}
	select {
	case d.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *database) end() { <-d.reading }

// one returns the row that a query yields, [auth.NotFound] without one.
func one[T any](ctx context.Context, d *database, op string, read func(scanner) (T, error), query string, args ...any) (_ T, err error) {
	defer d.observed(op, d.now(), &err)
	var none T
	if err := d.begin(ctx); err != nil {
		return none, unavailable(err)
	}
	defer d.end()
	if d.flavour.local {
		ctx = context.WithoutCancel(ctx)
	}
	st, err := d.statements.of(ctx, query)
	if err != nil {
		return none, d.flavour.failure(err)
	}
	v, err := read(st.QueryRowContext(ctx, args...))
	if err != nil {
		return none, d.flavour.failure(err)
	}
	return v, nil
}

// many returns the rows that a query yields.
func many[T any](ctx context.Context, d *database, op string, read func(scanner) (T, error), query string, args ...any) (_ []T, err error) {
	defer d.observed(op, d.now(), &err)
	if err := d.begin(ctx); err != nil {
		return nil, unavailable(err)
	}
	defer d.end()
	st, err := d.statements.of(ctx, query)
	if err != nil {
		return nil, d.flavour.failure(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, d.flavour.failure(err)
	}
	list, err := collect(rows, read)
	return list, d.flavour.failure(err)
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, read func(scanner) (T, error)) (list []T, err error) {
	defer func() { _ = rows.Close() }() // Err has said what there is
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// step refuses a bound that is none.
func step(limit int) error {
	if limit < 0 {
		return auth.Fail(auth.Malformed, auth.ReasonForm, nil)
	}
	return nil
}
