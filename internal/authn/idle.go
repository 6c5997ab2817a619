package authn

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// How precisely the last use of a token with an idle time is known: to a
// twentieth of that time, but to a second at best and a minute at worst. So
// often at most is a use written, by each node and for each way in which the
// token is presented, however many requests it makes.
const (
	idleSteps        = 20
	minIdlePrecision = time.Second
	maxIdlePrecision = time.Minute
	// touchTimeout bounds how long a request waits where the store writes a
	// use at once.
	touchTimeout = 250 * time.Millisecond
)

// IdlePrecision returns how precisely the last use of a token with this idle
// time is known.
func IdlePrecision(idle time.Duration) time.Duration {
	return min(max(idle/idleSteps, minIdlePrecision), maxIdlePrecision)
}

// End returns the instant from which a session is refused. One with an idle
// time lives for at least that time after its last use, for at most
// [IdlePrecision] longer, and never past Expires. A crash can lose the uses of
// the last second, and a store that takes no writes all uses since.
func End(s store.Session) time.Time {
	if s.Idle <= 0 {
		return s.Expires
	}
	if idle := s.Updated.Add(s.Idle + IdlePrecision(s.Idle)); idle.Before(s.Expires) {
		return idle
	}
	return s.Expires
}

// idling follows the uses of one token with an idle time. Instants are Unix
// nanoseconds.
type idling struct {
	realm, id string
	// life is the idle time and its precision together.
	life, precision int64
	// used is the last use that was written, next when another one is due.
	used, next atomic.Int64
}

func newIdling(s store.Session) *idling {
	precision := IdlePrecision(s.Idle)
	i := &idling{realm: s.Realm, id: s.ID, life: int64(s.Idle + precision), precision: int64(precision)}
	i.used.Store(s.Updated.UnixNano())
	i.next.Store(s.Updated.UnixNano() + i.precision)
	return i
}

// live reports whether the token was used lately, as far as this node knows.
func (i *idling) live(now int64) bool { return now < i.used.Load()+i.life }

// use counts a use and writes it where one is due; of several at once one
// writes. i is nil for a token without an idle time.
func (r *Resolver) use(ctx context.Context, i *idling, now int64) {
	if i == nil || now < i.next.Load() {
		return
	}
	r.touch(ctx, i, now)
}

func (r *Resolver) touch(ctx context.Context, i *idling, now int64) {
	// The row holds whole milliseconds. Counted from there, the next use is
	// never due after the precision has passed.
	at := store.Precise(time.Unix(0, now))
	if next := i.next.Load(); now < next || !i.next.CompareAndSwap(next, at.UnixNano()+i.precision) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTimeout)
	defer cancel()
	if r.rows.Sessions.TouchSession(ctx, i.realm, i.id, at) != nil {
		i.next.Store(now + int64(minIdlePrecision))
		return
	}
	i.used.Store(at.UnixNano())
}
