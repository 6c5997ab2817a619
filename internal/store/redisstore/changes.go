package redisstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// heartbeat is how long Wait blocks at most. The log is read then whatever
	// was published.
	heartbeat = 500 * time.Millisecond
	// listenAgain is how long a connection that listens stays away.
	listenAgain = 100 * time.Millisecond
	// trimStep is how many changes one script looks at.
	trimStep = 500
)

// Latest implements [store.Changes].
func (s *Sessions) Latest(ctx context.Context) (seq int64, err error) {
	defer s.observed("latest_change", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	seq, err = s.catchUp(ctx)
	return seq, failure(err)
}

// Since implements [store.Changes].
func (s *Sessions) Since(ctx context.Context, after int64, limit int) (changes []store.Change, err error) {
	defer s.observed("changes", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	page, err := store.Page{Limit: limit}.Bounds()
	if err != nil {
		return nil, err
	}
	latest, err := s.catchUp(ctx)
	if err != nil || latest <= after {
		return nil, failure(err)
	}
	results, err := s.doMulti(ctx, rueidis.Commands{
		s.client.B().Xrange().Key(s.prefix + "log").Start(from(after)).End("+").Count(int64(page.Limit)).Build(),
	})
	if err != nil {
		return nil, failure(err)
	}
	entries, err := results[0].AsXRange()
	if err != nil {
		return nil, failure(err)
	}
	for _, e := range entries {
		c, err := readChange(e)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func readChange(e rueidis.XRangeEntry) (store.Change, error) {
	seq, ok := sequence(e)
	at, err := strconv.ParseInt(e.FieldValues["a"], 10, 64)
	if !ok || err != nil {
		return store.Change{}, unavailable(errReply)
	}
	return store.Change{
		Seq: seq, Realm: e.FieldValues["r"], Kind: store.ChangeKind(e.FieldValues["k"]), ID: e.FieldValues["i"], At: instant(at),
	}, nil
}

// Wait implements [store.Changes]. It is not observed: how long it takes says
// nothing of the store.
func (s *Sessions) Wait(ctx context.Context, after int64) error {
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	pulse := time.NewTimer(heartbeat)
	defer pulse.Stop()
	for {
		news := s.feed.next() // asked before the look, so that nothing falls in between
		seq, err := s.catchUp(ctx)
		if err != nil || seq > after {
			return failure(err)
		}
		select {
		case <-news:
		case <-pulse.C:
			return nil
		case <-s.feed.ended:
			return unavailable(errClosed)
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

// Subscribe implements [store.Changes].
func (s *Sessions) Subscribe(fn func([]store.Change)) (cancel func()) { return s.feed.subscribe(fn) }

// Record implements [store.Changes]. The sequence and the instant are the
// store's.
func (s *Sessions) Record(ctx context.Context, c store.Change) (err error) {
	defer s.observed("record_change", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	_, err = s.record(ctx, rand.Text(), 0, c)
	return failure(err)
}

// record enters a change with a sequence beyond floor, which it returns.
func (s *Sessions) record(ctx context.Context, mark string, floor int64, c store.Change) (int64, error) {
	result, err := s.run(ctx, recordScript, mark, decimal(floor), string(c.Kind), c.Realm, c.ID)
	if err != nil {
		return 0, err
	}
	entered, err := result.ToMessage()
	if err != nil {
		return 0, err
	}
	if err := s.deliver(entered); err != nil {
		return 0, err
	}
	list, err := entered.ToArray()
	if err != nil || len(list) != 1 {
		return 0, errReply
	}
	fields, err := list[0].AsStrSlice()
	if err != nil || len(fields) == 0 {
		return 0, errReply
	}
	return strconv.ParseInt(fields[0], 10, 64)
}

// TrimChanges implements [store.Changes].
func (s *Sessions) TrimChanges(ctx context.Context, before store.Time, limit int) (n int, err error) {
	defer s.observed("trim_changes", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	for n < limit {
		step := min(trimStep, limit-n)
		result, err := s.run(ctx, trimScript, decimal(millis(before)), decimal(int64(step)))
		if err != nil {
			return n, failure(err)
		}
		removed, err := result.AsInt64()
		if err != nil {
			return n, failure(err)
		}
		n += int(removed)
		if int(removed) < step {
			break
		}
	}
	return n, nil
}

// listen has those who wait look as soon as any node published news. The
// connection is made again until ctx ends; meanwhile the heartbeat does.
func (s *Sessions) listen(ctx context.Context) {
	channel := s.prefix + "news"
	heard := func(rueidis.PubSubMessage) { s.feed.wake() }
	for ctx.Err() == nil {
		subscribed := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) { s.feed.wake() })
		_ = s.client.Receive(subscribed, s.client.B().Subscribe().Channel(channel).Build(), heard) // made again below
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}
