package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// beatEvery is how long the listening connection rests before it is asked,
	// beatWait how long the answer may take. Together they are less than the
	// heartbeat: a server that was stopped, or whose packets vanish, is
	// noticed within it.
	beatEvery = 500 * time.Millisecond
	beatWait  = 300 * time.Millisecond
)

// listener follows the changes of all nodes on a connection of its own: it is
// told that there are some, and asks up to which. What was missed while the
// connection was lost is in the table.
type listener struct {
	server  *server
	version int
	ctx     context.Context // ends with the store
	end     context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex
	latest   int64 // the newest sequence known to be visible
	known    bool  // the server was asked at least once
	err      error // why the feed is broken, nil while it works
	news     chan struct{}
	timeline string
}

func newListener(s *server, version int) *listener {
	l := &listener{server: s, version: version, done: make(chan struct{}), news: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(context.Background())
	go l.loop()
	return l
}

func (l *listener) close() {
	l.end()
	<-l.done
}

// wait is that of [store.Changes].
func (l *listener) wait(ctx context.Context, after int64) error {
	pulse := time.NewTimer(heartbeat)
	defer pulse.Stop()
	for {
		latest, _, news, err := l.state()
		if err != nil || latest > after {
			return err
		}
		select {
		case <-news:
		case <-pulse.C:
			if _, known, _, _ := l.state(); !known {
				return errors.New("the feed is not there yet")
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return errClosed
		}
	}
}

func (l *listener) state() (latest int64, known bool, news <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, l.known, l.news, l.err
}

// saw notes a sequence that is visible.
func (l *listener) saw(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq > l.latest {
		l.latest = seq
		l.wake()
	}
}

// set notes that the feed works, or why it does not.
func (l *listener) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = l.known || err == nil
	if err != nil || l.err != nil {
		l.err = err
		l.wake()
	}
}

func (l *listener) wake() {
	close(l.news)
	l.news = make(chan struct{})
}

func (l *listener) loop() {
	defer close(l.done)
	for l.ctx.Err() == nil {
		err := l.follow()
		if l.ctx.Err() != nil {
			return
		}
		if broken(err) {
			l.server.doubt(err)
		}
		l.set(fmt.Errorf("the feed is broken: %w", plainPostgres(unprefixed(err))))
		pause := time.NewTimer(probePause)
		select {
		case <-pause.C:
		case <-l.ctx.Done():
			pause.Stop()
		}
	}
}

// follow listens on a new connection until that is broken.
func (l *listener) follow() error {
	conn, err := l.connect()
	if err != nil {
		return err
	}
	defer func() { // not to wait for a server that may not answer
		ctx, cancel := context.WithTimeout(context.Background(), beatWait)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	for {
		if err := l.beat(conn); err != nil {
			return err
		}
		l.set(nil)
		if err := l.rest(conn); err != nil {
			return err
		}
	}
}

// connect listens, and looks whether the server still knows what was seen of it.
func (l *listener) connect() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, connectWait)
	defer cancel()
	conn, err := l.server.connect(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "LISTEN "+channel)
	if err == nil {
		err = l.compare(ctx, conn)
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// compare looks whether the server went back behind what was seen of it: one
// that took over without the last commits, or a backup that was restored. Its
// sequences then mean other changes, so that everybody is told to forget
// everything, beyond the last that anybody here has seen.
func (l *listener) compare(ctx context.Context, conn *pgx.Conn) error {
	l.mu.Lock()
	seen, before := l.latest, l.timeline
	l.mu.Unlock()
	var latest int64
	if err := conn.QueryRow(ctx, latestChange).Scan(&latest); err != nil {
		return err
	}
	var timeline string
	// Not every server that speaks the protocol has it.
	err := conn.QueryRow(ctx, `SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`).Scan(&timeline)
	if _, refused := errors.AsType[*pgconn.PgError](err); err != nil && !refused {
		return err
	}
	if latest < seen || before != "" && timeline != "" && timeline != before {
		if err := l.server.forgetAll(max(seen, latest)); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.timeline = timeline
	l.mu.Unlock()
	return nil
}

// forgetAll records that everything changed, with a sequence beyond another.
func (s *server) forgetAll(beyond int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*s.patience)
	defer cancel()
	return s.submit(ctx, func(t *tx) error {
		if err := t.lock(lockChanges); err != nil {
			return err
		}
		_, err := t.number(`SELECT setval(pg_get_serial_sequence('changes', 'seq'),
			GREATEST(CAST(? AS BIGINT), nextval(pg_get_serial_sequence('changes', 'seq'))))`, beyond)
		if err != nil {
			return err
		}
		return t.record("", store.AllChanged, "")
	})
}

// beat asks for the newest sequence and the schema.
func (l *listener) beat(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(l.ctx, beatWait)
	defer cancel()
	var latest int64
	var version int
	err := conn.QueryRow(ctx, `SELECT (`+latestChange+`), (SELECT COALESCE(MAX(version), 0) FROM schema_migrations)`).Scan(&latest, &version)
	if err != nil {
		return err
	}
	if version != l.version {
		err := wrongSchema(fmt.Sprint(version), l.version)
		l.server.reach.Refuse(err)
		return err
	}
	l.saw(latest)
	return nil
}

// rest blocks until a change comes or the connection is to be asked again.
func (l *listener) rest(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(l.ctx, beatEvery)
	defer cancel()
	_, err := conn.WaitForNotification(ctx)
	if err != nil && l.ctx.Err() == nil && ctx.Err() != nil && !conn.IsClosed() {
		return nil // none came
	}
	return err
}
