package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// heartbeat is how long Wait blocks at most.
	heartbeat = time.Second
	// pollEvery is how often Wait looks for commits of other processes.
	pollEvery = 75 * time.Millisecond
)

// feed hands out the changes of this process and notices those of others.
type feed struct {
	readers *sql.DB
	place   *presence
	ended   chan struct{}

	mu          sync.Mutex
	subscribers []*func([]store.Change)
	news        chan struct{} // closed when there are changes, then replaced

	// The number that tells of other connections' commits is one
	// connection's own: this one is asked nothing else.
	peek sync.Mutex
	conn *sql.Conn
}

func newFeed(readers *sql.DB, place *presence) *feed {
	return &feed{readers: readers, place: place, ended: make(chan struct{}), news: make(chan struct{})}
}

// publish hands changes to the subscribers and wakes those who wait. Only the
// committer calls it, so that all see one order.
func (f *feed) publish(changes []store.Change) {
	f.mu.Lock()
	subscribers := f.subscribers
	close(f.news)
	f.news = make(chan struct{})
	f.mu.Unlock()
	for _, fn := range subscribers {
		(*fn)(slices.Clone(changes))
	}
}

// subscribe adds fn. The list is never changed in place: publish reads it
// without holding the lock.
func (f *feed) subscribe(fn func([]store.Change)) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers = append(slices.Clone(f.subscribers), &fn)
	return func() { f.unsubscribe(&fn) }
}

func (f *feed) unsubscribe(fn *func([]store.Change)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	others := slices.Clone(f.subscribers)
	f.subscribers = slices.DeleteFunc(others, func(s *func([]store.Change)) bool { return s == fn })
}

// next returns what is closed at the next publish.
func (f *feed) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.news
}

// version asks for the number that is another after a foreign commit.
func (f *feed) version(ctx context.Context) (n int64, err error) {
	f.peek.Lock()
	defer f.peek.Unlock()
	if f.over() {
		return 0, errClosed
	}
	if err := f.place.look(); err != nil {
		return 0, err
	}
	if f.conn == nil {
		if f.conn, err = f.readers.Conn(ctx); err != nil {
			return 0, err
		}
	}
	if err := f.conn.QueryRowContext(ctx, dataVersion).Scan(&n); err != nil {
		f.drop()
		return 0, err
	}
	return n, nil
}

// wait blocks until foreign commits or changes of this process may be there
// (true), or the heartbeat (false). news and seen are what next and version
// returned before the caller last looked.
func (f *feed) wait(ctx context.Context, news <-chan struct{}, seen *int64, pulse <-chan time.Time) (bool, error) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-news:
			return true, nil
		case <-pulse:
			return false, nil
		case <-f.ended:
			return false, errClosed
		case <-ctx.Done():
			return false, ctx.Err()
		case <-poll.C:
		}
		now, err := f.version(ctx)
		if err != nil || now != *seen {
			*seen = now
			return true, err
		}
	}
}

// await blocks until there may be a change after a sequence, or the heartbeat.
func (f *feed) await(ctx context.Context, after int64, latest func(context.Context) (int64, error)) error {
	pulse := time.NewTimer(heartbeat)
	defer pulse.Stop()
	// Asked before the first look, so that nothing falls in between.
	news := f.next()
	seen, err := f.version(ctx)
	for more := true; err == nil && more; {
		n, e := latest(ctx)
		if e != nil || n > after {
			return e
		}
		more, err = f.wait(ctx, news, &seen, pulse.C)
		news = f.next()
	}
	return err
}

func (f *feed) over() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// drop lets go of the connection; peek is held.
func (f *feed) drop() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}

func (f *feed) close() {
	close(f.ended)
	f.peek.Lock()
	defer f.peek.Unlock()
	f.drop()
}
