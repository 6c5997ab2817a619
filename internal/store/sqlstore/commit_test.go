package sqlstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// counter counts commits.
type counter struct{ commits atomic.Int64 }

func (c *counter) observe(op string, _ time.Duration, _ error) {
	if op == "commit" {
		c.commits.Add(1)
	}
}

// hold keeps the committer busy until release is called: what is written in
// between waits for one transaction.
func hold(t *testing.T, d *database) (release func()) {
	t.Helper()
	held, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cancel := d.Subscribe(func([]store.Change) {
		once.Do(func() {
			close(held)
			<-free
		})
	})
	done := make(chan error, 1)
	go func() { done <- d.Record(context.Background(), store.Change{Kind: store.AllChanged}) }()
	<-held
	return func() {
		cancel()
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// queued blocks until n writes wait.
func queued(d *database, n int) {
	for {
		committerOf(d).mu.Lock()
		waiting := len(committerOf(d).waiting)
		committerOf(d).mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// insertAll starts an insert of each session and returns where their errors
// come out.
func insertAll(ctx context.Context, d *database, rows ...store.Session) []chan error {
	errs := make([]chan error, len(rows))
	for i, s := range rows {
		errs[i] = make(chan error, 1)
		go func() { errs[i] <- d.InsertSession(ctx, s) }()
	}
	return errs
}

func TestWritesThatWaitShareOneCommit(t *testing.T) {
	var c counter
	d := openTemp(t, Options{Observe: c.observe})
	release := hold(t, d)
	before := c.commits.Load()
	var rows []store.Session
	for i := range 100 {
		rows = append(rows, testSession(i))
	}
	errs := insertAll(t.Context(), d, rows...)
	queued(d, len(rows))
	release()
	for i, err := range errs {
		if err := <-err; err != nil {
			t.Fatalf("insert %d: %v", i, err)
		}
	}
	if n := c.commits.Load() - before; n != 1 {
		t.Fatalf("100 inserts took %d commits, want 1", n)
	}
}

func TestALoneWriteIsCommittedAtOnce(t *testing.T) {
	var c counter
	d := openTemp(t, Options{Observe: c.observe})
	for i := range 10 {
		insert(t, d, i)
		if n := c.commits.Load(); n != int64(i+1) {
			t.Fatalf("%d inserts one after the other took %d commits", i+1, n)
		}
	}
}

func TestAWriteThatLosesTakesNobodyWithIt(t *testing.T) {
	d := openTemp(t, Options{})
	insert(t, d, 0)
	release := hold(t, d)
	good, sameID := testSession(1), testSession(2)
	sameID.ID = testSession(0).ID
	many := make(chan error, 1)
	errs := insertAll(t.Context(), d, good, sameID, testSession(3))
	go func() { many <- d.InsertSession(t.Context(), testSession(4), testSession(5), sameID) }()
	queued(d, 4)
	release()
	for i, want := range []auth.Code{0, auth.Conflict, 0} {
		err := <-errs[i]
		if want == 0 && err != nil {
			t.Fatalf("insert %d: %v", i, err)
		}
		if want != 0 {
			wantCode(t, err, want)
		}
	}
	wantCode(t, <-many, auth.Conflict)
	for _, n := range []int{0, 1, 3} {
		has(t, d, n)
	}
	for _, n := range []int{2, 4, 5} {
		lacks(t, d, n)
	}
}

func TestAWriteWhoseCallerIsGoneIsNotStarted(t *testing.T) {
	d := openTemp(t, Options{})
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	gone := insertAll(ctx, d, testSession(1))
	stays := insertAll(t.Context(), d, testSession(2))
	queued(d, 2)
	cancel()
	wantCode(t, <-gone[0], auth.Unavailable)
	release()
	if err := <-stays[0]; err != nil {
		t.Fatal(err)
	}
	lacks(t, d, 1)
	has(t, d, 2)
}

func TestAContextThatEndedIsUnavailableEverywhere(t *testing.T) {
	d := openTemp(t, Options{})
	insert(t, d, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, read := d.Session(ctx, "default", store.SessionRef{Digest: testSession(1).Digest})
	_, _, find := d.FindSessions(ctx, "default", store.SessionQuery{})
	_, list := d.ListAccounts(ctx, "default", store.Page{})
	for _, err := range []error{
		read, find, list, d.InsertSession(ctx, testSession(2)), d.Wait(ctx, 0), d.TouchKey(ctx, "default", 1, time.Now()),
	} {
		wantCode(t, err, auth.Unavailable)
		if auth.AsError(err).Reason != auth.ReasonStore {
			t.Errorf("got reason %q", auth.AsError(err).Reason)
		}
	}
	lacks(t, d, 2)
}

func TestAWriteIsSeenByAnotherHandleWhenItReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d, other := openAt(t, path, Options{}), openAt(t, path, Options{})
	for i := range 50 {
		insert(t, d, i)
		has(t, other, i)
	}
}

func TestClosingFinishesWhatIsUnderWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d := openAt(t, path, Options{})
	release := hold(t, d)
	var rows []store.Session
	for i := range 20 {
		rows = append(rows, testSession(i))
	}
	errs := insertAll(t.Context(), d, rows...)
	queued(d, len(rows))
	closed := make(chan error, 1)
	go func() { closed <- d.shut() }()
	for !committerOf(d).over() {
		runtime.Gosched()
	}
	wantCode(t, d.InsertSession(t.Context(), testSession(99)), auth.Unavailable)
	release()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	d = openAt(t, path, Options{})
	for i, err := range errs {
		if err := <-err; err != nil {
			t.Fatalf("insert %d: %v", i, err)
		}
		has(t, d, i)
	}
	lacks(t, d, 99)
}

func TestWhatWasAnsweredIsThereAfterACrash(t *testing.T) {
	dir, after := t.TempDir(), t.TempDir()
	d := openAt(t, filepath.Join(dir, "gatehouse.db"), Options{})
	for i := range 50 {
		insert(t, d, i)
	}
	if n, err := d.RevokeSessions(t.Context(), "default", store.SessionMatch{ID: testSession(7).ID}); n != 1 || err != nil {
		t.Fatalf("revoked %d, %v", n, err)
	}
	for _, name := range []string{"gatehouse.db", "gatehouse.db-wal"} { // as they lie on the disk; this ends our locks, which nobody else wants
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(after, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d = openAt(t, filepath.Join(after, "gatehouse.db"), Options{})
	for i := range 50 {
		if i == 7 {
			lacks(t, d, i)
			continue
		}
		has(t, d, i)
	}
}

func TestEveryCommitIsSynced(t *testing.T) {
	d := openTemp(t, Options{})
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"} {
		var got string
		err := committerOf(d).submit(t.Context(), func(tx *tx) error {
			return tx.link.(*writer).conn.QueryRowContext(tx.ctx, "PRAGMA "+pragma).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
}

func TestAFullDiskStopsWritesOnlyAndNoLongerThanItIsFull(t *testing.T) {
	var offset atomic.Int64
	d := openTemp(t, Options{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }}, "max_page_count(80)")
	big := func(n int) store.Session {
		s := testSession(n)
		s.Sealed = make([]byte, 8000)
		return s
	}
	last := 0
	var full error
	for ; full == nil; last++ {
		full = d.InsertSession(t.Context(), big(last))
	}
	wantCode(t, full, auth.Unavailable)
	wantCode(t, d.InsertSession(t.Context(), big(last)), auth.Unavailable)
	has(t, d, 0)
	lacks(t, d, last-1)

	offset.Store(int64(2 * time.Hour)) // the rows may go
	if n, err := d.SweepSessions(t.Context(), 1000); err != nil || n != last-1 {
		t.Fatalf("swept %d of %d, %v", n, last-1, err)
	}
	offset.Store(0)
	if err := d.InsertSession(t.Context(), big(last)); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsGoneIsOutOfReachUntilItIsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d := openAt(t, path, Options{})
	insert(t, d, 0)
	for name, replace := range map[string]func(){
		"moved": func() {},
		"replaced": func() {
			other := openAt(t, path, Options{})
			insert(t, other, 7)
			if err := other.shut(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run("a file that was "+name, func(t *testing.T) {
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.Rename(path+end, path+".old"+end); err != nil {
					t.Fatal(err)
				}
			}
			replace()
			wantCode(t, d.Wait(t.Context(), 0), auth.Unavailable) // a gateway waits all the time
			_, err := d.Session(t.Context(), "default", store.SessionRef{Digest: testSession(0).Digest})
			wantCode(t, err, auth.Unavailable)
			err = d.InsertSession(t.Context(), testSession(1))
			wantCode(t, err, auth.Unavailable)
			if !strings.Contains(err.Error(), "the file "+path+" was moved, removed or replaced while it was open") {
				t.Error(err)
			}
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.Rename(path+".old"+end, path+end); err != nil {
					t.Fatal(err)
				}
			}
			has(t, d, 0)
			lacks(t, d, 1)
		})
	}
	insert(t, d, 2)
	has(t, d, 2)
}

// TestAWriteGivesUpOnALockInTime: a request that waits for its login to be
// stored must not hang because a command of another process is stuck.
func TestAWriteGivesUpOnALockInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d := openAt(t, path, Options{LockWait: 20 * time.Millisecond})
	other := openAt(t, path, Options{})
	locked, free := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(free) })
	defer release()
	committed := make(chan error, 1)
	go func() {
		committed <- other.write(context.WithoutCancel(t.Context()), "hold", func(*tx) error {
			close(locked)
			<-free
			return nil
		})
	}()
	<-locked
	began := time.Now()
	for n := range 3 { // a new connection waits no longer than the first
		wantCode(t, d.InsertSession(t.Context(), testSession(n)), auth.Unavailable)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("waited %v", took)
	}
	release()
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	lacks(t, d, 0)
	insert(t, d, 3)
	has(t, d, 3)
}

func TestAFailedTransactionFailsAllOfItsCallers(t *testing.T) {
	d := openTemp(t, Options{})
	release := hold(t, d)
	errs := insertAll(t.Context(), d, testSession(1), testSession(2))
	queued(d, 2)
	lost := errors.New("the disk is gone")
	broken := make(chan error, 1)
	go func() { broken <- d.write(t.Context(), "broken", func(*tx) error { return lost }) }()
	queued(d, 3)
	release()
	for _, err := range append(errs, broken) {
		wantCode(t, <-err, auth.Unavailable)
	}
	lacks(t, d, 1)
	lacks(t, d, 2)
	insert(t, d, 1) // on a new connection
}

func TestErrorsShowNeitherQueriesNorValues(t *testing.T) {
	d := openTemp(t, Options{})
	insert(t, d, 1)
	err := d.InsertSession(t.Context(), testSession(1))
	wantCode(t, err, auth.Conflict)
	for _, leak := range []string{"INSERT", "VALUES", "session 1", "token 1"} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("%q shows %q", err, leak)
		}
	}
}

func TestStampsRideOnLaterCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		d, err := openSQLite(context.Background(), filepath.Join(t.TempDir(), "gatehouse.db"), sqliteFlavour(), Options{Observe: c.observe})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.shut() }()
		ctx := context.Background()
		if err := d.InsertAccount(ctx, store.Account{ID: "a", Realm: "default", Username: "ana"}); err != nil {
			t.Fatal(err)
		}
		before, at := c.commits.Load(), store.Precise(time.Now())
		for i := range 1000 {
			if err := d.TouchAccount(ctx, "default", "a", at.Add(time.Duration(i)*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
		last := at.Add(999 * time.Millisecond)
		if a, err := d.Account(ctx, "default", "ana"); err != nil || !a.LastLogin.Equal(last) {
			t.Fatalf("got %v before the commit, %v, want %v", a.LastLogin, err, last)
		}
		if n := c.commits.Load() - before; n != 0 {
			t.Fatalf("stamps caused %d commits at once", n)
		}
		<-time.After(2 * touchEvery) // of the bubble's clock
		synctest.Wait()
		if n := c.commits.Load() - before; n != 1 {
			t.Fatalf("1000 stamps of one row took %d commits, want 1", n)
		}
		var written int64
		if err := fileOf(d).pools.readers.QueryRow(`SELECT last_login FROM accounts`).Scan(&written); err != nil || written != millis(last) {
			t.Fatalf("got %d written, %v, want %d", written, err, millis(last))
		}
	})
}

func TestStampsAreWrittenOnClosing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d := openAt(t, path, Options{})
	at := store.Precise(time.Now())
	id, err := d.InsertKey(t.Context(), store.Key{Realm: "default", Digest: auth.DigestOf("key")})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.TouchKey(t.Context(), "default", id, at), d.shut()); err != nil {
		t.Fatal(err)
	}
	k, err := openAt(t, path, Options{}).Key(t.Context(), "default", id)
	if err != nil || !k.LastUsed.Equal(at) {
		t.Fatalf("got %v, %v, want %v", k.LastUsed, err, at)
	}
	wantCode(t, d.TouchKey(t.Context(), "default", id, at), auth.Unavailable)
}

func TestStampsThatWaitAreBounded(t *testing.T) {
	waiting := newTouches()
	for i := range maxTouches + 100 {
		if _, ok := waiting.add(row{stampKey, "default", int64(i)}, time.Now()); ok != (i < maxTouches) {
			t.Fatalf("stamp %d is taken: %v", i, ok)
		}
	}
	if n := len(waiting.waiting); n != maxTouches {
		t.Fatalf("%d stamps wait, want %d", n, maxTouches)
	}
	later := store.Precise(time.Now().Add(time.Hour))
	waiting.add(row{stampKey, "default", int64(3)}, later)
	if at := waiting.latest(row{stampKey, "default", int64(3)}, store.Time{}); !at.Equal(later) {
		t.Fatalf("a row that waits already got %v, want %v", at, later)
	}
	stamps := waiting.take(true)
	if len(stamps) != maxBatch {
		t.Fatalf("%d stamps in one transaction, want %d", len(stamps), maxBatch)
	}
	waiting.settle(false)
	if n := len(waiting.waiting); n != maxTouches {
		t.Fatalf("%d stamps wait after a transaction that failed, want %d", n, maxTouches)
	}
}
