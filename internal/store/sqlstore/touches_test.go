package sqlstore

import (
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestOfStampsTheLatestIsKept(t *testing.T) {
	t0 := store.Precise(time.Now())
	r := row{stampSession, "default", "a"}
	at := func(n int) store.Time { return t0.Add(time.Duration(n) * time.Second) }
	waiting := newTouches()
	check := func(when string, says, want store.Time) {
		t.Helper()
		if got := waiting.latest(r, says); !got.Equal(want) {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	check("before the first", at(1), at(1))
	waiting.add(r, at(3))
	waiting.add(r, at(2))
	check("an earlier one after it", at(1), at(3))
	check("the row is later", at(4), at(4))
	waiting.take(true)
	check("while it is written", at(1), at(3))
	waiting.add(r, at(2))
	check("an earlier one while it is written", at(1), at(3))
	waiting.settle(false)
	check("it could not be written", at(1), at(3))
	if stamps := waiting.take(true); len(stamps) != 1 || stamps[0].at != millis(at(3)) {
		t.Errorf("then %+v is written", stamps)
	}
	waiting.settle(true)
	check("once it is written", at(1), at(1))
}

// TestAReadIsRepeatedWhereAStampWasWrittenMeanwhile is the race of a reader
// that asked for the row before the commit and for what waits after it.
func TestAReadIsRepeatedWhereAStampWasWrittenMeanwhile(t *testing.T) {
	waiting := newTouches()
	r, now := row{stampSession, "default", "a"}, store.Precise(time.Now())
	waiting.add(r, now)
	var stored, seen store.Time
	reads := 0
	err := waiting.steady(func() error {
		reads++
		seen = stored
		if reads == 1 { // the commit comes between the two questions
			waiting.take(true)
			stored = now
			waiting.settle(true)
		}
		seen = waiting.latest(r, seen)
		return nil
	})
	if err != nil || !seen.Equal(now) {
		t.Errorf("a reader saw %v, %v, want %v", seen, err, now)
	}
	if reads != 2 {
		t.Errorf("it read %d times, want twice", reads)
	}
	waiting.settle(true) // of no stamp
	reads = 1
	if err := waiting.steady(func() error { reads++; return nil }); err != nil || reads != 2 {
		t.Errorf("a quiet read was repeated %d times, %v", reads-2, err)
	}
}

// TestReadersNeverSeeAStampGo reads after each stamp while stamps are written
// as fast as the disk takes them.
func TestReadersNeverSeeAStampGo(t *testing.T) {
	d := openTemp(t, Options{})
	ctx := t.Context()
	s := testSession(1)
	if err := d.InsertSession(ctx, s); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var hurried sync.WaitGroup
	defer hurried.Wait()
	defer close(done)
	hurried.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			d.touched.mu.Lock()
			d.touched.since = time.Time{} // due
			d.touched.mu.Unlock()
			committerOf(d).poke()
			if _, err := d.Latest(ctx); err != nil {
				t.Error(err)
				return
			}
		}
	})
	at := store.Precise(s.Issued)
	for d.touched.written.Load() < 20 {
		at = at.Add(time.Millisecond)
		if err := d.TouchSession(ctx, "default", s.ID, at); err != nil {
			t.Fatal(err)
		}
		got, err := d.Session(ctx, "default", store.SessionRef{ID: s.ID})
		if err != nil || !got.Updated.Equal(at) {
			t.Fatalf("got %v, %v, want %v", got.Updated, err, at)
		}
	}
}

// TestAStampWithoutRoomIsRefused lets the caller try again: a use that nobody
// wrote would end a token too early.
func TestAStampWithoutRoomIsRefused(t *testing.T) {
	d := openTemp(t, Options{})
	defer hold(t, d)()
	for i := range maxTouches {
		if err := d.TouchKey(t.Context(), "default", int64(i), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, d.TouchSession(t.Context(), "default", "a", time.Now()), auth.Unavailable)
	if err := d.TouchKey(t.Context(), "default", 1, time.Now()); err != nil {
		t.Errorf("a row that waits already: %v", err)
	}
}
