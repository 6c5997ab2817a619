package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// stamper writes the stamps that wait, about once in [touchEvery].
type stamper struct {
	server  *server
	touched *touches
	wake    chan struct{}
	once    sync.Once
	end     chan struct{}
	done    chan struct{}
}

func newStamper(s *server, touched *touches) *stamper {
	st := &stamper{server: s, touched: touched, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
	go st.loop()
	return st
}

// poke has the stamper see to the time.
func (s *stamper) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close writes what waits, as long as the server takes it.
func (s *stamper) close() {
	s.once.Do(func() { close(s.end) })
	<-s.done
}

func (s *stamper) loop() {
	defer close(s.done)
	for s.rest() {
		s.write(false)
	}
	for s.write(true) {
		continue
	}
}

// rest blocks until stamps may be due, and reports whether the end has not come.
func (s *stamper) rest() bool {
	var due <-chan time.Time
	if d, ok := s.touched.due(); ok {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-s.end:
		return false
	case <-s.wake:
	case <-due:
	}
	return true
}

// write writes the stamps that are due, or all, and reports whether there may
// be more of them.
func (s *stamper) write(all bool) bool {
	stamps := s.touched.take(all)
	if len(stamps) == 0 {
		return false
	}
	err := s.server.stamp(stamps)
	s.touched.settle(err == nil)
	return err == nil
}

// stamp writes stamps in one transaction, sent at once. It is the one that may
// be lost in a crash, so that it waits for no sync. All nodes write rows in one
// order, so that two wait for each other in one direction only.
func (s *server) stamp(stamps []stamp) error {
	slices.SortFunc(stamps, func(a, b stamp) int {
		return cmp.Or(cmp.Compare(a.row.query, b.row.query), cmp.Compare(a.row.realm, b.row.realm),
			cmp.Compare(fmt.Sprint(a.row.id), fmt.Sprint(b.row.id)))
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*s.patience)
	defer cancel()
	leave, err := s.enter(ctx, s.writing)
	if err != nil {
		return err
	}
	defer leave()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.failed(err)
	}
	defer conn.Release()
	var b pgx.Batch
	b.Queue("BEGIN")
	b.Queue("SET LOCAL synchronous_commit = off")
	for _, st := range stamps {
		b.Queue(s.text(string(st.row.query)), st.at, st.row.realm, st.row.id, st.at)
	}
	b.Queue("COMMIT")
	err = conn.Conn().SendBatch(ctx, &b).Close()
	if err != nil {
		(&remote{conn: conn.Conn(), sent: true}).undo(ctx)
	}
	return s.failed(err)
}
