package password

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

var (
	errFull = errors.New("too many wait to have a password hashed")
	errSlow = errors.New("waited too long to have a password hashed")
)

// queue lets a bounded number in at once and a bounded number wait, in order
// of arrival, for a bounded time.
type queue struct {
	slots chan struct{} // holds one value for each who is in
	wait  time.Duration
	max   int

	mu       sync.Mutex // orders what onChange is told
	waiting  int
	onChange func(waiting int)
}

func newQueue(slots, limit int, wait time.Duration, onChange func(int)) *queue {
	if onChange == nil {
		onChange = func(int) {}
	}
	return &queue{slots: make(chan struct{}, slots), wait: wait, max: limit, onChange: onChange}
}

// enter returns nil when it is the caller's turn; leave ends it. A place that
// is given up goes to whoever waits longest: a newcomer finds it taken.
func (q *queue) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return q.turnAway(auth.ReasonTimeout, err)
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	if !q.join() {
		return q.turnAway(auth.ReasonQueue, errFull)
	}
	defer q.part()
	patience := time.NewTimer(q.wait)
	defer patience.Stop()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-patience.C:
		return q.turnAway(auth.ReasonQueue, errSlow)
	case <-ctx.Done():
		return q.turnAway(auth.ReasonTimeout, ctx.Err())
	}
}

func (q *queue) leave() { <-q.slots }

func (q *queue) join() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= q.max {
		return false
	}
	q.waiting++
	q.onChange(q.waiting)
	return true
}

func (q *queue) part() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
	q.onChange(q.waiting)
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// turnAway says to come back after the time in which all who wait now have
// been served or turned away, in the whole seconds of Retry-After.
func (q *queue) turnAway(reason auth.Reason, cause error) error {
	retry := max(time.Second, (q.wait + time.Second - 1).Truncate(time.Second))
	return &auth.Error{Code: auth.Unavailable, Reason: reason, RetryAfter: retry, Err: cause}
}
