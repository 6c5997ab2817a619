package storetest

import (
	"cmp"
	"slices"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// recorder is a subscriber that remembers what it was told.
type recorder struct {
	mu   sync.Mutex
	seen []store.Change
}

func (r *recorder) told(changes []store.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, changes...)
}

func (r *recorder) all() []store.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// records runs do and fails the clause unless exactly these changes were
// recorded, in any order, and handed to a subscriber by the time do returned.
// Seq and At are held to what every change has, whatever expected says. A store
// with a feed apart may say in each what concerns both.
func (f *fixture) records(t *testing.T, expected []store.Change, do func()) {
	t.Helper()
	feeds := f.Feeds()
	var ends []func() []store.Change
	for _, feed := range feeds {
		ends = append(ends, f.watch(t, feed))
	}
	do()
	var bare []store.Change
	for _, end := range ends {
		bare = append(bare, end()...)
	}
	bare = sorted(bare)
	if len(feeds) > 1 {
		bare = slices.Compact(bare)
	}
	want(t, bare, sorted(expected))
}

// watch returns a function that returns what was recorded meanwhile in one
// feed, without sequence and instant, and fails the clause unless a subscriber
// was told the same.
func (f *fixture) watch(t *testing.T, feed store.Changes) (end func() []store.Change) {
	t.Helper()
	before := latestOf(t, feed)
	r := &recorder{}
	cancel := feed.Subscribe(r.told)
	return func() []store.Change {
		t.Helper()
		told := r.all()
		cancel()
		recorded, err := feed.Since(t.Context(), before, store.MaxPage)
		ok(t, err)
		want(t, told, recorded)
		var bare []store.Change
		for _, c := range recorded {
			if c.Seq <= before {
				t.Fatalf("change %+v does not come after %d", c, before)
			}
			before = c.Seq
			want(t, c.At, f.clock.Now())
			c.Seq, c.At = 0, store.Time{}
			bare = append(bare, c)
		}
		want(t, latestOf(t, feed), before)
		return bare
	}
}

func sorted(changes []store.Change) []store.Change {
	return slices.SortedFunc(slices.Values(changes), func(a, b store.Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Realm, b.Realm), cmp.Compare(a.ID, b.ID))
	})
}

func (f *fixture) latest(t *testing.T) int64 {
	t.Helper()
	return latestOf(t, f.Changes)
}

func latestOf(t *testing.T, feed store.Changes) int64 {
	t.Helper()
	seq, err := feed.Latest(t.Context())
	ok(t, err)
	return seq
}

func (f *fixture) since(t *testing.T, after int64) []store.Change {
	t.Helper()
	changes, err := f.Changes.Since(t.Context(), after, store.MaxPage)
	ok(t, err)
	return changes
}

// count returns how often the recorder was told of that id.
func (r *recorder) count(id string) int {
	n := 0
	for _, c := range r.all() {
		if c.ID == id {
			n++
		}
	}
	return n
}
