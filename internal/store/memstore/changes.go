package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// heartbeat is how long Wait waits where nothing happens.
const heartbeat = time.Second

// feed is the changes that are kept, oldest first, and who is told of new ones.
type feed struct {
	seq     int64
	log     []store.Change
	pending []store.Change
	// more is closed at the next change.
	more        chan struct{}
	subscribers []*subscriber
}

type subscriber struct{ fn func([]store.Change) }

// enter gives each change its sequence and time.
func (f *feed) enter(at store.Time, changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	for _, c := range changes {
		f.seq++
		c.Seq, c.At = f.seq, at
		f.log = append(f.log, c)
		f.pending = append(f.pending, c)
	}
	close(f.more)
	f.more = make(chan struct{})
}

// deliver hands the changes that nobody was told of to the subscribers. When
// it returns, every change entered before the call was handed out, be it by
// another call.
func (m *memory) deliver() {
	m.delivery.Lock()
	defer m.delivery.Unlock()
	m.mu.Lock()
	batch, subscribers := m.pending, slices.Clone(m.subscribers)
	m.pending = nil
	m.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	for _, s := range subscribers {
		s.fn(slices.Clone(batch))
	}
}

func (m *memory) Latest(ctx context.Context) (seq int64, err error) {
	err = m.locked(ctx, func() error {
		seq = m.seq
		return nil
	})
	return seq, err
}

func (m *memory) Since(ctx context.Context, after int64, limit int) (changes []store.Change, err error) {
	page, err := store.Page{Limit: limit}.Bounds()
	if err != nil {
		return nil, err
	}
	err = m.locked(ctx, func() error {
		first, _ := slices.BinarySearchFunc(m.log, after+1, func(c store.Change, seq int64) int { return int(c.Seq - seq) })
		rest := m.log[first:]
		changes = slices.Clone(rest[:min(page.Limit, len(rest))])
		return nil
	})
	return changes, err
}

func (m *memory) Wait(ctx context.Context, after int64) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	there, more := m.seq > after, m.more
	m.mu.Unlock()
	if there {
		return nil
	}
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	select {
	case <-more:
	case <-timer.C:
	case <-m.done:
		return auth.Fail(auth.Unavailable, auth.ReasonStore, errClosed)
	case <-ctx.Done():
		return auth.Fail(auth.Unavailable, auth.ReasonTimeout, ctx.Err())
	}
	return nil
}

func (m *memory) Subscribe(fn func([]store.Change)) (cancel func()) {
	s := &subscriber{fn}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, s)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.subscribers = slices.DeleteFunc(m.subscribers, func(other *subscriber) bool { return other == s })
	}
}

func (m *memory) Record(ctx context.Context, c store.Change) error {
	return m.write(ctx, func() ([]store.Change, error) { return []store.Change{c}, nil })
}

func (m *memory) TrimChanges(ctx context.Context, before store.Time, limit int) (n int, err error) {
	err = m.locked(ctx, func() error {
		for n < min(limit, len(m.log)) && m.log[n].At.Before(before) {
			n++
		}
		m.log = slices.Delete(m.log, 0, n)
		return nil
	})
	return n, err
}
