package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// doubtAfter is how long an exchange may go without its answer before the
// server is probed, probeWait how long that may take before the server counts as
// out of reach, probePause how long it is left alone after that.
const (
	doubtAfter = 200 * time.Millisecond
	probeWait  = 700 * time.Millisecond
	probePause = 100 * time.Millisecond
)

// begin admits a call, unless ctx has ended or the store is closed. The caller
// calls done once it has finished.
func (s *Sessions) begin(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, unavailable(errClosed)
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

// kind is what an exchange is for, which decides how long it may take.
type kind uint8

const (
	// lookUp is what a request waits for, before it is known to be good.
	lookUp kind = iota
	// query may read many rows.
	query
	// change goes on once the server is found to be out of reach: of each it may
	// yet be told whether it was done.
	change
)

// exchange runs do, which speaks with the server, within the time of its kind.
// There are no more at once than the connections have room for, so that nobody
// waits in a queue that knows no time.
func (s *Sessions) exchange(ctx context.Context, k kind, do func(ctx context.Context)) error {
	if err := s.reach.Check(); err != nil {
		return err
	}
	ctx, spent := store.Spend(ctx)
	defer spent()
	bounded, timeout := s.reach.Bounded, s.o.Timeout
	switch k {
	case lookUp:
		timeout = min(timeout, s.o.LookupTimeout)
	case query:
	case change:
		bounded = context.WithTimeout
	}
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	slow := time.AfterFunc(doubtAfter, func() { s.reach.Doubt() })
	defer slow.Stop()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	do(ctx)
	return nil
}

// run runs a script on the server as one step, with the prefix and the time
// before args.
func (s *Sessions) run(ctx context.Context, p script, args ...string) (result rueidis.RedisResult, err error) {
	var unconfirmed error
	k := change
	if p.reads {
		k = lookUp
	}
	err = s.exchange(ctx, k, func(ctx context.Context) {
		if p.reads || s.o.Replicas == 0 {
			result = s.ask(ctx, p, args...)
			return
		}
		result, unconfirmed = s.confirmed(ctx, p, args...)
	})
	return result, cmp.Or(err, unconfirmed, result.Error())
}

// ask sends the script by its hash, and in full where the server does not know
// it, as after a restart.
func (s *Sessions) ask(ctx context.Context, p script, args ...string) rueidis.RedisResult {
	result := s.client.Do(ctx, s.command(p, p.sha, args))
	if e, told := rueidis.IsRedisErr(result.Error()); told && e.IsNoScript() {
		result = s.client.Do(ctx, s.command(p, "", args))
	}
	return result
}

// command is the script by its hash, or in full where sha is "".
//
// Its first key says on what node of a cluster all of the store is. The second is
// never there: while the slot is carried to another node, key by key, either of
// the two would take what has not arrived, or has left, for something that does
// not exist. Of two keys they want both, and tell to try again until then.
func (s *Sessions) command(p script, sha string, args []string) rueidis.Completed {
	keys := []string{s.prefix + "seq", s.prefix + "none"}
	args = append([]string{s.prefix, decimal(s.nowMillis())}, args...)
	b := s.client.B()
	switch {
	case sha != "" && p.reads:
		return b.EvalshaRo().Sha1(sha).Numkeys(2).Key(keys...).Arg(args...).Build()
	case sha != "":
		return b.Evalsha().Sha1(sha).Numkeys(2).Key(keys...).Arg(args...).Build()
	case p.reads:
		return b.EvalRo().Script(p.text).Numkeys(2).Key(keys...).Arg(args...).Build()
	}
	return b.Eval().Script(p.text).Numkeys(2).Key(keys...).Arg(args...).Build()
}

// confirmed runs a script and waits until enough replicas have what it wrote.
// The two go over one connection, since a server waits for what that wrote.
func (s *Sessions) confirmed(ctx context.Context, p script, args ...string) (result rueidis.RedisResult, err error) {
	c, release := s.client.Dedicate()
	defer release()
	wait := c.B().Wait().Numreplicas(int64(s.o.Replicas)).Timeout(s.o.ReplicaWait.Milliseconds()).Build()
	results := c.DoMulti(ctx, s.command(p, p.sha, args), wait)
	if e, told := rueidis.IsRedisErr(results[0].Error()); told && e.IsNoScript() {
		wait = c.B().Wait().Numreplicas(int64(s.o.Replicas)).Timeout(s.o.ReplicaWait.Milliseconds()).Build()
		results = c.DoMulti(ctx, s.command(p, "", args), wait)
	}
	if err := results[0].Error(); err != nil {
		return results[0], nil //nolint:nilerr // the result tells it
	}
	n, err := results[1].AsInt64()
	if err != nil {
		return results[0], err
	}
	if n < int64(s.o.Replicas) {
		return results[0], fmt.Errorf("written but not confirmed: %d of %d replicas have it", n, s.o.Replicas)
	}
	return results[0], nil
}

// observed tells how long a call took. It is deferred.
func (s *Sessions) observed(op string, start time.Time, err *error) {
	s.o.Observe(op, time.Since(start), *err)
}

func (s *Sessions) now() store.Time { return store.Precise(s.o.Now()) }

func (s *Sessions) nowMillis() int64 { return s.now().UnixMilli() }
