package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// touchEvery is how late a stamp is written at most, as long as the
	// store works.
	touchEvery = time.Second
	// maxTouches bounds the stamps that wait; beyond it they are refused.
	maxTouches = 16384
)

// stampQuery is the statement that writes one kind of stamp unless there is a
// later one; it takes the instant, the realm, the id and the instant again.
type stampQuery string

// row names the row that a stamp belongs to. id is text or an integer.
type row struct {
	query stampQuery
	realm string
	id    any
}

type stamp struct {
	row row
	at  int64
}

// touches are the stamps that wait to be written, one for each row: the latest.
// They ride on the commits that others cause, once in [touchEvery].
type touches struct {
	mu      sync.Mutex
	waiting map[row]int64
	writing map[row]int64
	since   time.Time // when the first of waiting came

	written atomic.Int64 // how often stamps were written
}

func newTouches() *touches {
	return &touches{waiting: make(map[row]int64), writing: make(map[row]int64)}
}

// add notes a stamp and reports whether it is the first that waits; ok is false
// where there is no room for it.
func (t *touches) add(r row, at store.Time) (first, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.waiting[r]; !known && len(t.waiting) >= maxTouches {
		return false, false
	}
	if first = len(t.waiting) == 0; first {
		t.since = time.Now()
	}
	t.wait(r, millis(at))
	return first, true
}

// wait has a stamp wait, unless a later one does.
func (t *touches) wait(r row, at int64) {
	if n, known := t.waiting[r]; !known || n < at {
		t.waiting[r] = at
	}
}

// latest returns the stamp of a row that is not written yet, or what the row
// says where that is later.
func (t *touches) latest(r row, says store.Time) store.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, stamps := range []map[row]int64{t.writing, t.waiting} {
		if n, ok := stamps[r]; ok && n > millis(says) {
			says = fromMillis(n)
		}
	}
	return says
}

// steady runs read, which asks the database and then [touches.latest], again
// where stamps were written meanwhile: one could have been too late for the
// first question and gone by the second.
func (t *touches) steady(read func() error) error {
	for {
		before := t.written.Load()
		if err := read(); err != nil || t.written.Load() == before {
			return err
		}
	}
}

// due returns how long the stamps that wait may wait on; ok is false where
// there are none.
func (t *touches) due() (d time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return touchEvery - time.Since(t.since), len(t.waiting) > 0
}

// take returns the stamps that are due, all of them with now, at most a
// batch. The rest stays due.
func (t *touches) take(now bool) []stamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 || !now && time.Since(t.since) < touchEvery {
		return nil
	}
	stamps := make([]stamp, 0, min(len(t.waiting), maxBatch))
	for r, at := range t.waiting {
		if len(stamps) == maxBatch {
			break
		}
		stamps = append(stamps, stamp{r, at})
		t.writing[r] = at
		delete(t.waiting, r)
	}
	return stamps
}

// settle ends what take began. Stamps that were not written wait again.
func (t *touches) settle(done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.writing) == 0 {
		return
	}
	if done {
		t.written.Add(1)
		clear(t.writing)
		return
	}
	t.since = time.Now()
	for r, at := range t.writing {
		t.wait(r, at)
	}
	clear(t.writing)
}

// stamp writes stamps. A row that has gone is not missed.
func (t *tx) stamp(stamps []stamp) error {
	for _, s := range stamps {
		if _, err := t.exec(string(s.row.query), s.at, s.row.realm, s.row.id, s.at); err != nil {
			return err
		}
	}
	return nil
}

// touch has a stamp written some time soon.
func (d *database) touch(ctx context.Context, r row, at store.Time) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if d.engine.over() {
		return unavailable(errClosed)
	}
	first, ok := d.touched.add(r, at)
	if !ok {
		return unavailable(fmt.Errorf("%d stamps wait already", maxTouches))
	}
	if first {
		d.engine.poke() // so that it sees to the time
	}
	return nil
}
