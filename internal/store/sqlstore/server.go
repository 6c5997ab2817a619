package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/reach"
)

// server is the engine of a database on a server that several nodes share.
//
// Isolation is that of READ COMMITTED: each statement sees what was committed
// before it. What one statement decides (a version that must be the old one, a
// name that must be free) the server arbitrates among all nodes by the row or
// the index entry. What is looked at by one statement and relied upon by a later
// one is locked first ([tx.lock]), and what is removed by a condition is looked
// for until nothing is left ([tx.remove]). SERIALIZABLE would do without both,
// but aborts transactions that only share a page, and every one that records a
// change with every other.
type server struct {
	flavour  *flavour
	pool     *pgxpool.Pool
	hosts    *hosts
	now      func() time.Time
	observe  func(op string, took time.Duration, err error)
	patience time.Duration // how long a look-up may take; a write three times that
	reading  chan struct{} // one token for each read under way
	writing  chan struct{} // and one for each write that is no login
	rebound  sync.Map      // of queries that are constants
	reach    *reach.Reach
	listener *listener
	inserter *inserter
	stamper  *stamper
	local    *subscribers

	mu     sync.Mutex
	closed bool
	under  sync.WaitGroup // calls under way
}

// probeWait is how long a server may take to answer before it counts as out of
// reach, probePause how long it is left alone after that.
const (
	probeWait  = 500 * time.Millisecond
	probePause = 100 * time.Millisecond
)

// longest is how long a search may take: it may read many rows. One that was not
// answered within the patience has the server looked at, so that it does not
// wait for one that is away.
const longest = 5 * time.Second

// newServer returns a store over a schema that is up to date.
func newServer(f *flavour, pool *pgxpool.Pool, order *hosts, version int, o Options) *database {
	// Three kinds of calls that cannot take all connections from one another.
	n := int(pool.Config().MaxConns)
	writing := max(1, n/2-maxInserting)
	touched := newTouches()
	s := &server{
		flavour: f, pool: pool, hosts: order, now: o.Now, observe: o.Observe, patience: o.Wait,
		reading: make(chan struct{}, n-writing-maxInserting), writing: make(chan struct{}, writing), local: new(subscribers),
	}
	s.reach = reach.New(reach.Options{Probe: s.probe, Wait: probeWait + o.spare(), Pause: probePause, Back: pool.Reset})
	s.inserter = &inserter{server: s}
	s.listener = newListener(s, version)
	s.stamper = newStamper(s, touched)
	return newDatabase(f, s, touched, o)
}

// probe asks the server for a new connection, which looks at the schema too. One
// that has no more of them answers.
func (s *server) probe(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err == nil {
		err = conn.Close(ctx)
	}
	if sqlState(err) == pgTooMany {
		return nil
	}
	return plainPostgres(unprefixed(err))
}

// connect makes a connection beside those of the pool. Where that comes to
// nothing the next one, of the pool as well, begins with another server.
func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	turn, config := s.hosts.now(), s.pool.Config()
	err := config.BeforeConnect(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		s.hosts.skip(turn)
	}
	return conn, err
}

// doubt has the server probed after an error of the connection. Where that was
// ended by the other side the others are of no more use.
func (s *server) doubt(err error) {
	if s.reach.Doubt() && cut(err) {
		s.pool.Reset()
	}
}

// enter waits for a turn among the calls of a kind, within the time that a call
// has; the returned function ends it.
func (s *server) enter(ctx context.Context, turns chan struct{}) (leave func(), err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	s.under.Add(1)
	s.mu.Unlock()
	if err = ctx.Err(); err == nil {
		err = s.reach.Check()
	}
	if err == nil {
		select {
		case turns <- struct{}{}:
			return func() { <-turns; s.under.Done() }, nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.under.Done()
	return nil, err
}

// detached returns a context that ends then, or with the budget of ctx, whatever
// else becomes of the caller's: to give up a statement costs its connection, and
// callers who go away must not be able to have those closed.
func detached(ctx context.Context, then time.Time) (context.Context, context.CancelFunc) {
	if left, bounded := store.Budget(ctx); bounded {
		then = earlier(then, time.Now().Add(left))
	}
	return context.WithDeadline(context.WithoutCancel(ctx), then)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// text returns a query as the server takes it.
func (s *server) text(query string) string {
	if t, ok := s.rebound.Load(query); ok {
		return t.(string)
	}
	t := s.flavour.rebind(query)
	s.rebound.Store(query, t)
	return t
}

func (s *server) first(ctx context.Context, query string, args []any, row func(scanner) error) error {
	found := false
	err := s.each(ctx, query, args, func(r scanner) error {
		found = true
		return row(r)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

var errSlow = errors.New("the server did not answer in time")

// each waits for a turn for half of the patience at most, and for the answer for
// the rest. A statement that takes longer is left to itself for as long again: to
// give it up costs its connection, which nobody has to spare when many ask at
// once, as they do when a server is back.
func (s *server) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	if !storable(args) {
		return nil
	}
	end := time.Now().Add(s.patience)
	turn, cancelTurn := context.WithTimeout(ctx, s.patience/2)
	defer cancelTurn()
	leave, err := s.enter(turn, s.reading)
	if err != nil {
		return err
	}
	if left, bounded := store.Budget(ctx); bounded {
		end = earlier(end, time.Now().Add(left))
	}
	done := make(chan error, 1)
	go func() {
		defer leave()
		done <- contained(func() error { return s.ask(ctx, query, args, row) })
	}()
	late := time.NewTimer(time.Until(end))
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		s.reach.Doubt()
		return errSlow
	}
}

// contained returns the panic of do as an error: in a goroutine of its own it
// would end the process.
func contained(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = auth.Panicked(p)
		}
	}()
	return do()
}

// ask asks once more on another connection where one was broken and no row had
// come: after a server was started again all of them are.
func (s *server) ask(ctx context.Context, query string, args []any, row func(scanner) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.patience)
	defer cancel()
	rows := 0
	counted := func(r scanner) error {
		rows++
		return row(r)
	}
	query = s.text(query)
	err := s.query(ctx, query, args, counted)
	if err != nil && rows == 0 && ctx.Err() == nil && broken(err) {
		err = s.query(ctx, query, args, counted)
	}
	return err
}

func (s *server) query(ctx context.Context, query string, args []any, row func(scanner) error) error {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return s.failed(err)
	}
	return s.failed(eachPgRow(rows, row))
}

// eachPgRow hands over rows and closes them.
func eachPgRow(rows pgx.Rows, row func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// failed has the server looked at where an error is about the connection, and
// returns the error without what it may quote.
func (s *server) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case broken(err):
		s.doubt(err)
	case sqlState(err) == pgReadOnly:
		s.pool.Reset() // another server may take writes by now
	}
	return plainPostgres(err)
}

// search asks in one transaction that sees one instant, sent at once.
func (s *server) search(ctx context.Context, f *found, page store.Page, row func(scanner) error) error {
	if !storable(f.values) {
		return malformed("a filter holds text that is no UTF-8, or a NUL")
	}
	turn, cancelTurn := context.WithTimeout(ctx, s.patience)
	defer cancelTurn()
	leave, err := s.enter(turn, s.reading)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := s.reach.Bounded(ctx, longest)
	defer cancel()
	slow := time.AfterFunc(s.patience, func() { s.reach.Doubt() })
	defer slow.Stop()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.failed(err)
	}
	defer conn.Release()
	return s.failed(searchOn(ctx, conn.Conn(), f, page, row))
}

func searchOn(ctx context.Context, conn *pgx.Conn, f *found, page store.Page, row func(scanner) error) error {
	t, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback(ctx) }() // it has changed nothing
	// There are as many of these queries as filters: none is kept.
	values := append([]any{pgx.QueryExecModeDescribeExec}, f.values...)
	if err := t.QueryRow(ctx, numbered(f.count), values...).Scan(&f.total); err != nil {
		return err
	}
	rows, err := t.Query(ctx, numbered(f.list), append(values, page.Limit, page.Offset)...)
	if err != nil {
		return err
	}
	return eachPgRow(rows, row)
}

func (s *server) wait(ctx context.Context, after int64) error {
	if s.over() {
		return errClosed
	}
	return s.listener.wait(ctx, after)
}

func (s *server) subscribe(fn func([]store.Change)) (cancel func()) { return s.local.add(fn) }

func (s *server) poke() { s.stamper.poke() }

func (s *server) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// close writes the stamps that wait before it refuses further calls.
func (s *server) close() error {
	s.stamper.close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.under.Wait()
	s.inserter.running.Wait()
	s.listener.close()
	s.reach.Close()
	s.pool.Close()
	return nil
}

var errUnanswered = errors.New("the server does not say whether it committed")
