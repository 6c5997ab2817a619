package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// swept counts what is swept, and closes over once nothing is left.
type swept struct {
	store.Sessions
	first sync.Once
	last  sync.Once
	under chan struct{}
	over  chan struct{}
	rows  atomic.Int64
}

// SweepSessions is told by the store beneath.
func (s *swept) SweepSessions(ctx context.Context, limit int) (int, error) {
	s.first.Do(func() { close(s.under) })
	n, err := s.Sessions.SweepSessions(ctx, limit)
	s.rows.Add(int64(n))
	if err == nil && n < limit {
		s.last.Do(func() { close(s.over) })
	}
	return n, err
}

func (s *swept) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// measureSweep adds a quarter as many sessions as there are that have come to
// their end, and looks live ones up while the gateway's own sweep removes those.
// It closes the store.
func (r *storesRun) measureSweep(ctx context.Context) (err error) {
	first := r.sessions + r.added
	if err := r.insertMany(ctx, first, first+r.sessions/4, time.Millisecond); err != nil {
		return errors.Join(err, r.store.Close())
	}
	quiet, err := r.lookUp(ctx, func() bool { return false })
	if err != nil {
		return errors.Join(err, r.store.Close())
	}
	ring, err := token.ParseRing(token.RingFile{Name: "a new key ring", Text: token.NewRing()})
	if err != nil {
		return errors.Join(err, r.store.Close())
	}
	s := &swept{Sessions: r.store.Sessions, under: make(chan struct{}), over: make(chan struct{})}
	watched := r.store
	watched.Sessions = s
	runtime := gateway.NewRuntime(gateway.RuntimeConfig{Store: watched, Ring: ring, Now: time.Now})
	defer func() { err = errors.Join(err, runtime.Close()) }()
	select {
	case <-s.under:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	began := time.Now()
	during, err := r.lookUp(ctx, func() bool { return !s.isOver() })
	if err != nil {
		return err
	}
	<-s.over
	r.say("look-ups before a sweep", "%s", quiet)
	r.say("look-ups during the sweep", "%s", during)
	r.say("swept", "%d rows in at most %.0f s", s.rows.Load(), time.Since(began).Seconds())
	return nil
}
