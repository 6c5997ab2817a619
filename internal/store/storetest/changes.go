package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Changes holds a backend to its part of the contract. What each method
// records is stated with that method.
func Changes(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"an empty store has no change", changesNone},
		{"a change that is recorded comes back with its sequence and its time", changesRecord},
		{"changes come in order, after a sequence, at most as many as asked for", changesSince},
		{"every subscriber is told before the call returns, until it cancels", changesSubscribe},
		{"a caller may change what it was given", changesCopies},
		{"trimming removes in bounded steps what is older, oldest first", changesTrim},
		{"a sequence is never given twice, whatever was trimmed", changesSequence},
		{"a wait returns where there is a change already", changesWaitThere},
		{"a wait returns when a change comes", changesWaitComes},
		{"a wait returns at the heartbeat where none comes", changesWaitNone},
		{"a wait returns when its context ends", changesWaitEnds},
		{"changes recorded at once have a sequence each and are told before their call returns", changesAtOnce},
	})
}

// record adds n changes with the ids "1", "2" and so on, a millisecond apart.
func (f *fixture) record(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		c := store.Change{Realm: home, Kind: store.SubjectChanged, ID: decimal(int64(i + 1))}
		ok(t, f.Changes.Record(t.Context(), c))
		f.clock.set(f.clock.after(time.Millisecond))
	}
}

func changeIDs(changes []store.Change) []string {
	return names(changes, func(c store.Change) string { return c.ID })
}

func changesNone(t *testing.T, f *fixture) {
	want(t, f.latest(t), 0)
	want(t, len(f.since(t, 0)), 0)
}

func changesRecord(t *testing.T, f *fixture) {
	for _, c := range []store.Change{
		{Kind: store.AllChanged},
		{Realm: home, Kind: store.AllChanged},
		{Realm: foreign, Kind: store.KeyChanged, ID: "7"},
		{Realm: `r'"%`, Kind: store.SessionChanged, ID: "🔑"},
	} {
		given := c
		given.Seq, given.At = 99999, f.clock.after(time.Hour) // the store's own count
		f.records(t, []store.Change{c}, func() { ok(t, f.Changes.Record(t.Context(), given)) })
	}
	before := f.since(t, 0)
	want(t, len(before), 4)
	f.reopen(t)
	want(t, f.since(t, 0), before)
	want(t, f.latest(t), before[3].Seq)
}

func changesSince(t *testing.T, f *fixture) {
	f.record(t, 7)
	all := f.since(t, 0)
	want(t, changeIDs(all), []string{"1", "2", "3", "4", "5", "6", "7"})
	for _, c := range []struct {
		after    int64
		limit    int
		from, to int
	}{
		{0, 3, 0, 3},
		{all[2].Seq, 3, 3, 6},
		{all[5].Seq, 3, 6, 7},
		{all[6].Seq, 3, 7, 7},
		{all[6].Seq + 100, 3, 7, 7},
		{-1, 7, 0, 7},
	} {
		got, err := f.Changes.Since(t.Context(), c.after, c.limit)
		ok(t, err)
		want(t, got, all[c.from:c.to])
	}
}

func changesSubscribe(t *testing.T, f *fixture) {
	first, second := &recorder{}, &recorder{}
	cancelFirst := f.Changes.Subscribe(first.told)
	cancelSecond := f.Changes.Subscribe(second.told)
	f.record(t, 2)
	want(t, first.all(), f.since(t, 0))
	want(t, second.all(), f.since(t, 0))

	cancelFirst()
	f.record(t, 1)
	want(t, len(first.all()), 2)
	want(t, second.all(), f.since(t, 0))
	cancelFirst()
	cancelSecond()
	f.record(t, 1)
	want(t, len(first.all()), 2)
	want(t, len(second.all()), 3)
	want(t, len(f.since(t, 0)), 4)
}

func changesCopies(t *testing.T, f *fixture) {
	spoiler, r := func(changes []store.Change) { changes[0].ID = "spoilt" }, &recorder{}
	defer f.Changes.Subscribe(spoiler)()
	defer f.Changes.Subscribe(r.told)()
	f.record(t, 1)
	want(t, changeIDs(r.all()), []string{"1"})
	changes := f.since(t, 0)
	want(t, changeIDs(changes), []string{"1"})
	changes[0].ID = "spoilt"
	want(t, changeIDs(f.since(t, 0)), []string{"1"})
}

func changesTrim(t *testing.T, f *fixture) {
	f.record(t, 7)
	all := f.since(t, 0)
	trim := func(before store.Time, limit, removed int, left ...string) {
		t.Helper()
		n, err := f.Changes.TrimChanges(t.Context(), before, limit)
		ok(t, err)
		want(t, n, removed)
		want(t, changeIDs(f.since(t, 0)), left)
	}
	trim(all[0].At, 10, 0, "1", "2", "3", "4", "5", "6", "7") // not older than itself
	trim(all[5].At, 2, 2, "3", "4", "5", "6", "7")
	trim(all[5].At, 2, 2, "5", "6", "7")
	trim(all[5].At, 2, 1, "6", "7")
	trim(all[5].At, 2, 0, "6", "7")
	want(t, f.latest(t), all[6].Seq)
	f.reopen(t)
	want(t, f.since(t, all[1].Seq), all[5:])
}

func changesSequence(t *testing.T, f *fixture) {
	f.record(t, 3)
	latest := f.latest(t)
	n, err := f.Changes.TrimChanges(t.Context(), f.clock.after(time.Hour), 10)
	ok(t, err)
	want(t, n, 3)
	want(t, f.latest(t), latest)
	f.reopen(t)
	want(t, f.latest(t), latest)
	f.record(t, 1)
	if next := f.latest(t); next <= latest {
		t.Fatalf("sequence %d was given after %d", next, latest)
	}
	want(t, changeIDs(f.since(t, latest)), []string{"1"})
}

func changesWaitThere(t *testing.T, f *fixture) {
	f.record(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 20 { // would take 20 heartbeats
		ok(t, f.Changes.Wait(ctx, 0))
	}
}

func changesWaitComes(t *testing.T, f *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	latest := f.latest(t)
	came := make(chan error, 1)
	go func() {
		for {
			if err := f.Changes.Wait(ctx, latest); err != nil {
				came <- err
				return
			}
			changes, err := f.Changes.Since(ctx, latest, 1)
			if err != nil || len(changes) > 0 {
				came <- err
				return
			}
		}
	}()
	f.record(t, 1)
	ok(t, <-came)
}

func changesWaitNone(t *testing.T, f *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	f.record(t, 1)
	start := time.Now()
	ok(t, f.Changes.Wait(ctx, f.latest(t)))
	if took := time.Since(start); took > 10*time.Second { // a heartbeat is a second at most
		t.Fatalf("the heartbeat took %v", took)
	}
}

func changesWaitEnds(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Changes.Wait(ctx, f.latestOf(ctx)) }()
	cancel()
	if err := <-ended; err != nil {
		refused(t, err, auth.Unavailable)
	}
}

// latestOf is latest for a goroutine that may not end the test.
func (f *fixture) latestOf(ctx context.Context) int64 {
	seq, err := f.Changes.Latest(ctx)
	if err != nil {
		return 0
	}
	return seq
}

func changesAtOnce(t *testing.T, f *fixture) {
	r := &recorder{}
	defer f.Changes.Subscribe(r.told)()
	ctx := t.Context()
	const each = 20
	told := make([]int, 16)
	for _, err := range atOnce(len(told), func(i int) error {
		id := decimal(int64(i))
		for n := range each {
			if err := f.Changes.Record(ctx, store.Change{Realm: home, Kind: store.KeyChanged, ID: id}); err != nil {
				return err
			}
			if r.count(id) == n+1 {
				told[i]++
			}
		}
		return nil
	}) {
		ok(t, err)
	}
	for i, n := range told {
		if n != each {
			t.Errorf("caller %d returned %d times before its change was told", i, each-n)
		}
	}
	changes := f.since(t, 0)
	want(t, len(changes), len(told)*each)
	for i := range changes[1:] {
		if changes[i].Seq >= changes[i+1].Seq {
			t.Fatalf("sequence %d comes before %d", changes[i].Seq, changes[i+1].Seq)
		}
	}
	want(t, f.latest(t), changes[len(changes)-1].Seq)
}
