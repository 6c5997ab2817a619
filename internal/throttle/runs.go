package throttle

import "time"

// grains is into how many parts a window is told. More make a limit of many
// events more exact and every entry larger.
const grains = 16

// run is some events that are counted as if all came with the last of them.
type run struct {
	first, last time.Duration
	events      int
}

// runs remembers the events of the last window in a ring of fixed size. A
// limit that fits has one event in each run and is exact. A larger one shares
// a run between the events of a sixteenth of the window, and since a run
// counts until its last event is old, an event may count for a sixteenth
// longer than it should, never shorter.
type runs struct {
	// A run starts at least one grain after the one before it and lives for a
	// window and at most one grain: that is grains+2 of them.
	ring  [grains + 2]run
	head  int // the oldest
	len   int
	total int // events in all of them
}

func (r *runs) at(i int) *run { return &r.ring[(r.head+i)%len(r.ring)] }

// allow counts an event if the limit has room for it. Else it returns after
// how long it will have.
func (r *runs) allow(now time.Duration, l Limit) (time.Duration, bool) {
	r.settle(now, l.Window)
	if r.total >= l.Events {
		return r.room(now, l), false
	}
	r.add(now, l)
	return 0, true
}

func (r *runs) add(now time.Duration, l Limit) {
	r.total++
	if r.len > 0 {
		newest := r.at(r.len - 1)
		shared := l.Events > len(r.ring) && now-newest.first < l.Window/grains
		if shared || r.len == len(r.ring) { // full only after the clock jumped back
			newest.last = now
			newest.events++
			return
		}
	}
	r.len++
	*r.at(r.len - 1) = run{first: now, last: now, events: 1}
}

// settle drops the runs as old as the window. Stamps of the future are left
// from a clock that jumped back and count as of now.
func (r *runs) settle(now, window time.Duration) {
	for i := r.len - 1; i >= 0 && r.at(i).last > now; i-- {
		run := r.at(i)
		run.first, run.last = min(run.first, now), now
	}
	for r.len > 0 && now-r.at(0).last >= window {
		r.total -= r.at(0).events
		r.head = (r.head + 1) % len(r.ring)
		r.len--
	}
}

// room returns when enough runs are old for another event.
func (r *runs) room(now time.Duration, l Limit) time.Duration {
	left := r.total
	for i := range r.len {
		if left -= r.at(i).events; left < l.Events {
			return l.Window - (now - r.at(i).last)
		}
	}
	return l.Window
}
