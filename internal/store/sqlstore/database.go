package sqlstore

import (
	"context"
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
	// Wait is how long a look-up waits for a store that does not answer, a
	// turn and a connection included, before it is [auth.Unavailable]; a
	// write to PostgreSQL may wait three times as long. 0 is [DefaultWait].
	// A longer one lets connections and probes take longer too.
	Wait time.Duration
	// MaxConns is how many connections to PostgreSQL are open at most, beside
	// the one that listens for changes; 0 is what the DSN says by
	// pool_max_conns, else 16, and at least 4. Half of them read.
	MaxConns int

	// halfToo is for the copy itself: it opens what it has not finished.
	halfToo bool
}

// DefaultWait lets a request whose look-up is not answered be refused within
// 300 ms. A store that is slow and answers each look-up sooner is not away.
const DefaultWait = 250 * time.Millisecond

// defaultLockWait is also how long opening waits, whatever the options.
const defaultLockWait = 5 * time.Second

// spare is how much longer a call may take than by default.
func (o Options) spare() time.Duration { return max(0, o.Wait-DefaultWait) }

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
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	return o
}

// database implements every interface of package store over an engine.
type database struct {
	flavour *flavour
	engine  engine
	now     func() time.Time
	observe func(op string, took time.Duration, err error)
	touched *touches
	shut    func() error
}

// engine is how statements reach the database and its changes come back.
type engine interface {
	// submit carries out a write and returns when it is durable.
	submit(ctx context.Context, do func(*tx) error) error
	// insert is submit for one session: a burst of them shares one commit.
	insert(ctx context.Context, r sessionRow) error
	// first hands over the one row that a query yields, [sql.ErrNoRows]
	// without one, and each all of them.
	first(ctx context.Context, query string, args []any, row func(scanner) error) error
	each(ctx context.Context, query string, args []any, row func(scanner) error) error
	// search counts what f selects and hands over the rows of a page, both of
	// one instant.
	search(ctx context.Context, f *found, page store.Page, row func(scanner) error) error
	// wait and subscribe are those of [store.Changes].
	wait(ctx context.Context, after int64) error
	subscribe(fn func([]store.Change)) (cancel func())
	// poke says that stamps wait to be written; over that nothing is any more.
	poke()
	over() bool
	// close finishes the writes under way and lets go of the connections.
	close() error
}

// newDatabase returns a store over an engine.
func newDatabase(f *flavour, e engine, touched *touches, o Options) *database {
	d := &database{flavour: f, engine: e, now: o.Now, observe: o.Observe, touched: touched}
	d.shut = sync.OnceValue(func() error { return f.failure(e.close()) })
	return d
}

// store returns d as the parts that it is.
func (d *database) store() store.Store {
	return store.Store{
		Accounts: d, Memberships: d, Tenants: d, Units: d, Identities: d, Identifiers: d, Keys: d,
		Sessions: d, SigningKeys: d, Changes: d, Close: d.shut,
	}
}

// write has a call's statement carried out and returns when it is durable.
func (d *database) write(ctx context.Context, op string, do func(*tx) error) (err error) {
	defer d.observed(op, d.now(), &err)
	ctx, spent := store.Spend(ctx)
	defer spent()
	return d.flavour.failure(d.engine.submit(ctx, do))
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

// one returns the row that a query yields, [auth.NotFound] without one.
func one[T any](ctx context.Context, d *database, op string, read func(scanner) (T, error), query string, args ...any) (_ T, err error) {
	defer d.observed(op, d.now(), &err)
	ctx, spent := store.Spend(ctx)
	defer spent()
	var v, none T
	err = d.engine.first(ctx, query, args, func(r scanner) (err error) {
		v, err = read(r)
		return err
	})
	if err != nil {
		return none, d.flavour.failure(err) // v may still be written to
	}
	return v, nil
}

// many returns the rows that a query yields.
func many[T any](ctx context.Context, d *database, op string, read func(scanner) (T, error), query string, args ...any) (_ []T, err error) {
	defer d.observed(op, d.now(), &err)
	ctx, spent := store.Spend(ctx)
	defer spent()
	var list []T
	err = d.engine.each(ctx, query, args, func(r scanner) error {
		v, err := read(r)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, d.flavour.failure(err) // list may still be written to
	}
	return list, nil
}

// step refuses a bound that is none.
func step(limit int) error {
	if limit < 0 {
		return auth.Fail(auth.Malformed, auth.ReasonForm, nil)
	}
	return nil
}
