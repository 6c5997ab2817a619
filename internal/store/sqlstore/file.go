package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// file is the engine of a database in a file of this machine.
type file struct {
	pools      pools
	reading    chan struct{} // one token for each read under way
	patience   time.Duration // how long a read may take that is watched
	statements *statements
	committer  *committer
	feed       *feed
	sequence   string
}

// pools are the connections of a database: those that read, with how many may
// do so at once, and the one that writes; and where they lead to.
type pools struct {
	readers, writer *sql.DB
	reads           int
	place           *presence
}

// newFile returns a store over a schema that is up to date.
func newFile(f *flavour, p pools, o Options) *database {
	e := &file{
		pools: p, reading: make(chan struct{}, p.reads), patience: o.Wait, statements: newStatements(p.readers, f.rebind),
		feed: newFeed(p.readers, p.place), sequence: f.sequence,
	}
	touched := newTouches()
	e.committer = &committer{
		writer: &writer{flavour: f, pool: p.writer, lockWait: o.LockWait},
		place:  p.place, touched: touched, now: o.Now, observe: o.Observe, publish: e.feed.publish,
	}
	e.committer.start()
	return newDatabase(f, e, touched, o)
}

func (e *file) submit(ctx context.Context, do func(*tx) error) error {
	return e.committer.submit(ctx, do)
}

func (e *file) insert(ctx context.Context, r sessionRow) error {
	return e.committer.submit(ctx, func(t *tx) error { return t.insertSession(r) })
}

// begin waits for its turn to read; end follows without an error.
func (e *file) begin(ctx context.Context) error {
	if err := cmp.Or(ctx.Err(), e.pools.place.check()); err != nil {
		return err
	}
	select {
	case e.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *file) end() { <-e.reading }

var errStalled = errors.New("the disk does not answer")

// read carries out a read in its turn. One within a budget is given up when the
// disk does not answer, which leaves it to itself and its turn taken: so what
// waits for a disk stays bounded. To watch those of guarded requests too would
// cost more than it gives, since whoever looks up for many is watched already.
func (e *file) read(ctx context.Context, do func() error) error {
	if _, bounded := store.Budget(ctx); !bounded {
		return e.readOn(ctx, do)
	}
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- contained(func() error { return e.readOn(ctx, do) }) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return unavailable(errStalled)
	}
}

func (e *file) readOn(ctx context.Context, do func() error) error {
	if err := e.begin(ctx); err != nil {
		return unavailable(err)
	}
	defer e.end()
	return do()
}

// first waits for nothing but the disk: to watch its context would cost more
// than it gives.
func (e *file) first(ctx context.Context, query string, args []any, row func(scanner) error) error {
	return e.read(ctx, func() error {
		ctx := context.WithoutCancel(ctx)
		st, err := e.statements.of(ctx, query) //nolint:sqlclosecheck // it is kept, and closed with the others
		if err != nil {
			return err
		}
		return row(st.QueryRowContext(ctx, args...))
	})
}

func (e *file) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	return e.read(ctx, func() error { return e.statements.each(ctx, query, args, row) })
}

// search asks in one transaction, so that the count and the rows agree.
func (e *file) search(ctx context.Context, f *found, page store.Page, row func(scanner) error) error {
	if err := e.begin(ctx); err != nil {
		return err
	}
	defer e.end()
	t, err := e.pools.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // it has changed nothing
	if err := t.QueryRowContext(ctx, f.count, f.values...).Scan(&f.total); err != nil {
		return err
	}
	rows, err := t.QueryContext(ctx, f.list, append(f.values, page.Limit, page.Offset)...)
	if err != nil {
		return err
	}
	return eachRow(rows, row)
}

func (e *file) wait(ctx context.Context, after int64) error {
	return e.feed.await(ctx, after, func(ctx context.Context) (n int64, err error) {
		err = e.first(ctx, e.sequence, nil, func(r scanner) error { return r.Scan(&n) })
		return n, err
	})
}

func (e *file) subscribe(fn func([]store.Change)) (cancel func()) { return e.feed.subscribe(fn) }

func (e *file) poke() { e.committer.poke() }

func (e *file) over() bool { return e.committer.over() }

// close lets go of the writing connection last: it moves the log into the file.
func (e *file) close() error {
	e.committer.close()
	e.feed.close()
	e.statements.close()
	err := e.pools.readers.Close()
	e.committer.writer.close()
	return cmp.Or(err, e.pools.writer.Close())
}
