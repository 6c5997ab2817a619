package redisstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// A server does one thing at a time: while it removes rows, and syncs that,
// look-ups wait. A sweep therefore takes a hundredth of its time, so that nobody
// sees it in their p99, unless it falls behind.
const (
	// sweepStep is how many rows one script removes: about two milliseconds,
	// and with `appendfsync always` a sync.
	sweepStep = 100
	// sweepRest is how long the server is left alone after a step, as a
	// multiple of how long that took.
	sweepRest = 99
	// longestRest is 200 rows a second, however slow the disk is.
	longestRest = 500 * time.Millisecond
	// hurry is how long a sweep goes without rests after the server had no room.
	hurry = 10 * time.Second
)

// pace spreads the steps of a sweep, over one call and the next.
type pace struct {
	mu sync.Mutex
	// free is when the next step may be, hurried until when none waits.
	free, hurried time.Time
}

// until returns how long a step has to wait.
func (p *pace) until(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.hurried) {
		return 0
	}
	return p.free.Sub(now)
}

// stepped notes that a step ended.
func (p *pace) stepped(now time.Time, took time.Duration, left, all int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = now.Add(rest(took, left, all))
}

// full notes that the server had no room, which what is swept makes.
func (p *pace) full(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurried = now.Add(hurry)
}

// rest returns how long to leave the server alone after a step. What is left to
// remove bounds it: where that is a quarter of all rows, as when short tokens are
// issued faster than they are swept, a tenth of the time is taken, and where it
// is half of them, all of it.
func rest(took time.Duration, left, all int64) time.Duration {
	switch {
	case left > all/2:
		return 0
	case left > all/4:
		return min(took*sweepRest/11, longestRest)
	}
	return min(took*sweepRest, longestRest)
}

// SweepSessions implements [store.Sessions]. It rests between the steps, which
// is not observed.
func (s *Sessions) SweepSessions(ctx context.Context, limit int) (n int, err error) {
	var worked time.Duration
	defer func() { s.o.Observe("sweep_sessions", worked, err) }()
	done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	if limit < 0 {
		return 0, auth.Fail(auth.Malformed, auth.ReasonForm, nil)
	}
	for n < limit {
		if err := s.rest(ctx); err != nil {
			return n, unavailable(err)
		}
		step := min(sweepStep, limit-n)
		began := time.Now()
		removed, err := s.sweep(ctx, step)
		worked += time.Since(began)
		if err != nil {
			return n, failure(err)
		}
		n += removed
		if removed < step {
			break
		}
	}
	return n, nil
}

// rest waits until the next step of a sweep may be.
func (s *Sessions) rest(ctx context.Context) error {
	wait := time.NewTimer(s.pace.until(time.Now()))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-s.feed.ended:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sweep removes at most step rows at once.
func (s *Sessions) sweep(ctx context.Context, step int) (removed int, err error) {
	began := time.Now()
	result, err := s.run(ctx, sweepScript, decimal(int64(step)))
	if err != nil {
		return 0, err
	}
	reply, err := result.ToArray()
	if err != nil {
		return 0, err
	}
	var counts [3]int64
	if len(reply) != len(counts) {
		return 0, errReply
	}
	for i, c := range reply {
		if counts[i], err = c.AsInt64(); err != nil {
			return 0, err
		}
	}
	if counts[0] > 0 { // to find nothing costs nothing
		s.pace.stepped(time.Now(), time.Since(began), counts[1], counts[2])
	}
	return int(counts[0]), nil
}

// noRoom reports whether a server says that its memory is full.
func noRoom(err error) bool {
	e, told := rueidis.IsRedisErr(err)
	return told && strings.HasPrefix(e.Error(), "OOM ")
}
