package redisstore

import (
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

var errReply = errors.New("the server's answer is not what a script of this version returns")

// feed is what this process knows of the changes, and who is told of its own.
type feed struct {
	ended chan struct{}

	mu          sync.Mutex
	subscribers []*func([]store.Change)
	news        chan struct{} // closed when there may be changes, then replaced

	// delivery is held while subscribers are called.
	delivery sync.Mutex

	// running is the look at the log that is under way, coming the one after it.
	// Only the running one uses seen.
	running, coming *look
	seen            position
}

func newFeed() *feed {
	return &feed{ended: make(chan struct{}), news: make(chan struct{})}
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
