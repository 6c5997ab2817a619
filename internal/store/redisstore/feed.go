package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// logPage is how many changes are read at once.
const logPage = 1000

var errReply = errors.New("the server's answer is not what a script of this version returns")

// feed is what this process knows of the changes, and who is told of its own.
type feed struct {
	ended chan struct{}

	mu          sync.Mutex
	subscribers []*func([]store.Change)
	news        chan struct{} // closed when there may be changes, then replaced

	// delivery is held while subscribers are called.
	delivery sync.Mutex

	// reading holds a token while the log is followed; its holder may use seen.
	reading chan struct{}
	seen    position
}

// position is how far the log was followed: the newest sequence, and the mark
// of the change that has it. The zero position is before the first look.
type position struct {
	looked bool
	seq    int64
	mark   string
}

func newFeed() *feed {
	return &feed{ended: make(chan struct{}), news: make(chan struct{}), reading: make(chan struct{}, 1)}
}

func (f *feed) close() { close(f.ended) }

// wake has those who wait look.
func (f *feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.news)
	f.news = make(chan struct{})
}

// next returns what is closed at the next wake.
func (f *feed) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.news
}

// publish hands changes of this process to the subscribers.
func (f *feed) publish(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	f.delivery.Lock()
	defer f.delivery.Unlock()
	f.mu.Lock()
	subscribers := f.subscribers
	f.mu.Unlock()
	for _, fn := range subscribers {
		(*fn)(slices.Clone(changes))
	}
	f.wake()
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

// deliver hands out the changes that a script entered.
func (s *Sessions) deliver(entered rueidis.RedisMessage) error {
	list, err := entered.ToArray()
	if err != nil {
		return unavailable(errReply)
	}
	var changes []store.Change
	for _, c := range list {
		fields, err := c.AsStrSlice()
		if err != nil || len(fields) != 5 {
			return unavailable(errReply)
		}
		seq, err1 := strconv.ParseInt(fields[0], 10, 64)
		at, err2 := strconv.ParseInt(fields[4], 10, 64)
		if err1 != nil || err2 != nil {
			return unavailable(errReply)
		}
		changes = append(changes, store.Change{
			Seq: seq, Kind: store.ChangeKind(fields[1]), Realm: fields[2], ID: fields[3], At: instant(at),
		})
	}
	s.feed.publish(changes)
	return nil
}

// catchUp reads the log on from where this process left it and returns the newest
// sequence. Where the log is not the continuation of what was read, the server
// lost writes, and it records that everything changed: when it returns
// without an error, nothing that was lost is vouched for. Callers follow it one
// at a time, and none waits for others longer than for the server.
func (s *Sessions) catchUp(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	f := s.feed
	select {
	case f.reading <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-f.reading }()
	for {
		head, entries, err := s.log(ctx, f.seen.seq)
		if err != nil {
			return 0, err
		}
		if !f.seen.looked {
			f.seen = head
			return head.seq, nil
		}
		if head.seq == f.seen.seq && head.mark == f.seen.mark {
			return head.seq, nil
		}
		if head.seq <= f.seen.seq || !f.advance(entries) {
			return s.rupture(ctx)
		}
		if f.seen.seq >= head.seq {
			return f.seen.seq, nil
		}
	}
}

// log returns the head of the log and the entries after a sequence.
func (s *Sessions) log(ctx context.Context, after int64) (head position, entries []rueidis.XRangeEntry, err error) {
	b := s.client.B()
	results, err := s.doMulti(ctx, rueidis.Commands{
		b.Hmget().Key(s.prefix+"seq").Field("n", "m").Build(),
		b.Xrange().Key(s.prefix + "log").Start(from(after)).End("+").Count(logPage).Build(),
	})
	if err != nil {
		return head, nil, err
	}
	fields, err := results[0].AsStrSlice()
	if err != nil {
		return head, nil, err
	}
	head.looked = true
	if fields[0] != "" {
		if head.seq, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
			return head, nil, err
		}
		head.mark = fields[1]
	}
	entries, err = results[1].AsXRange()
	return head, entries, err
}

// from is the first id of the log after a sequence.
func from(after int64) string { return decimal(max(after, 0)+1) + "-0" }

// advance moves seen over entries, and reports whether each continues the one
// before it.
func (f *feed) advance(entries []rueidis.XRangeEntry) bool {
	for _, e := range entries {
		seq, ok := sequence(e)
		if !ok || seq != f.seen.seq+1 || e.FieldValues["p"] != f.seen.mark {
			return false
		}
		f.seen.seq, f.seen.mark = seq, e.FieldValues["m"]
	}
	return len(entries) > 0
}

func sequence(e rueidis.XRangeEntry) (int64, bool) {
	text, _, _ := strings.Cut(e.ID, "-")
	seq, err := strconv.ParseInt(text, 10, 64)
	return seq, err == nil
}

// rupture records that everything changed, after every sequence that anyone who
// followed this process has seen.
func (s *Sessions) rupture(ctx context.Context) (int64, error) {
	mark := rand.Text()
	seq, err := s.record(ctx, mark, s.feed.seen.seq, store.Change{Kind: store.AllChanged})
	if err != nil {
		return 0, err
	}
	s.feed.seen.seq, s.feed.seen.mark = seq, mark
	return seq, nil
}
