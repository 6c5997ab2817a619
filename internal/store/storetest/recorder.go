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
// Seq and At are held to what every change has, whatever expected says.
func (f *fixture) records(t *testing.T, expected []store.Change, do func()) {
	t.Helper()
	before := f.latest(t)
	r := &recorder{}
	cancel := f.Changes.Subscribe(r.told)
	defer cancel()
	do()
	told := r.all()

	recorded := f.since(t, before)
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
	want(t, sorted(bare), sorted(expected))
	want(t, f.latest(t), before)
}

func sorted(changes []store.Change) []store.Change {
	return slices.SortedFunc(slices.Values(changes), func(a, b store.Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Realm, b.Realm), cmp.Compare(a.ID, b.ID))
	})
}

func (f *fixture) latest(t *testing.T) int64 {
	t.Helper()
	seq, err := f.Changes.Latest(t.Context())
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
