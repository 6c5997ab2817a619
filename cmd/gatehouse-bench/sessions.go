package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	// batch is how many sessions one transaction adds while a store is filled,
	// and fillers how many do so at a time.
	batch   = 200
	fillers = 4
	// patience is how often a batch is tried again that a busy server did not
	// answer in time.
	patience   = 20
	retryAfter = 200 * time.Millisecond
	// lifetime is longer than a measurement takes.
	lifetime = 24 * time.Hour
)

// scattered returns 128 bits that look random and that n leads to again.
func scattered(n int) (b [16]byte) {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(n))
	d := auth.DigestOf("gatehouse-bench" + string(number[:]))
	copy(b[:], d[:])
	return b
}

// tokenOf is the token of the n-th session.
func tokenOf(n int) string { return token.Opaque(scattered(n)) }

func digestOf(n int) auth.Digest { return auth.DigestOf(tokenOf(n)) }

func has(err error, c auth.Code) bool { return err != nil && auth.CodeOf(err) == c }

// session is the n-th session, as a login makes one: spread over the indexes,
// in the order of time.
func (r *storesRun) session(n int, issued time.Time, life time.Duration) store.Session {
	now, end := store.Precise(issued), store.Precise(issued.Add(life))
	return store.Session{
		ID: uuid.UUID(scattered(-1 - n)).String(), Realm: gateway.DefaultRealm, Digest: digestOf(n),
		Dialect: "management", Kind: store.AccessToken, Subject: r.subjects[n%len(r.subjects)],
		Issued: now, Updated: now, Expires: end, Keep: end,
	}
}

// fill adds the live sessions.
func (r *storesRun) fill(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := r.insertMany(ctx, 0, r.sessions, lifetime)
	return time.Since(began), err
}

// insertMany adds the sessions from one number up to another.
func (r *storesRun) insertMany(ctx context.Context, from, to int, life time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(from))
	var all sync.WaitGroup
	for range fillers {
		all.Go(func() {
			for ctx.Err() == nil {
				start := int(next.Add(batch)) - batch
				if start >= to {
					return
				}
				if err := r.insertBatch(ctx, start, min(start+batch, to), life); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// insertBatch adds some sessions in one step. One that was not answered in time
// may have been done: then they conflict with themselves.
func (r *storesRun) insertBatch(ctx context.Context, from, to int, life time.Duration) (err error) {
	now := time.Now()
	rows := make([]store.Session, 0, to-from)
	for n := from; n < to; n++ {
		rows = append(rows, r.session(n, now, life))
	}
	for try := range patience {
		err = r.store.Sessions.InsertSession(ctx, rows...)
		if try > 0 && has(err, auth.Conflict) {
			return nil
		}
		if !has(err, auth.Unavailable) {
			return err
		}
		select { // while it counts as out of reach it says so at once
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("sessions %d to %d: %w", from, to, err)
}

// insertRate has callers add one session each at a time, every one durable when
// it is answered, and returns how many a second were; failed were not answered.
func (r *storesRun) insertRate(ctx context.Context, callers int) (rate float64, failed int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := r.sessions + r.added
	var next, done, missed atomic.Int64
	began := time.Now()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil && time.Since(began) < r.span {
				row := r.session(first+int(next.Add(1))-1, time.Now(), lifetime)
				err := r.store.Sessions.InsertSession(ctx, row)
				switch {
				case err == nil:
					done.Add(1)
				case has(err, auth.Unavailable):
					missed.Add(1)
				default:
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	r.added += int(next.Load())
	return float64(done.Load()) / took.Seconds(), missed.Load(), context.Cause(ctx)
}

// lookUp looks sessions up by their digest, one after the other in no order, at
// least r.lookups of them and for as long as more says.
func (r *storesRun) lookUp(ctx context.Context, more func() bool) (percentiles, error) {
	const stride = 7919 // a prime: all are met before one is met again
	var took []time.Duration
	missed := 0
	for i := 0; i < r.lookups || more(); i++ {
		by := store.SessionRef{Digest: digestOf(i * stride % r.sessions)}
		began := time.Now()
		_, err := r.store.Sessions.Session(ctx, gateway.DefaultRealm, by)
		took = append(took, time.Since(began))
		if has(err, auth.Unavailable) && ctx.Err() == nil {
			missed++ // which took as long as it took
			continue
		}
		if err != nil {
			return percentiles{}, fmt.Errorf("look-up %d: %w", i, err)
		}
	}
	return percentilesOf(took, missed), nil
}
