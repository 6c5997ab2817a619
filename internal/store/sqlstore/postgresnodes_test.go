package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// patient is for tests of what comes out, not of how long it takes.
var patient = Options{Wait: 20 * time.Second, MaxConns: 8}

// nodes opens one database several times.
func nodes(t *testing.T, server *testserver.PostgresServer, n int) []*database {
	t.Helper()
	all := make([]*database, n)
	for i := range all {
		all[i] = openServer(t, server.DSN(), patient)
	}
	return all
}

// oneWinsAmong runs what each of 32 callers does, on the nodes by turns, and
// fails the test unless one succeeds and the others are told of a conflict.
func oneWinsAmong(t *testing.T, all []*database, do func(d *database, i int) error) {
	t.Helper()
	errs := make([]error, 32)
	var callers sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
		callers.Go(func() {
			<-start
			errs[i] = do(all[i%len(all)], i)
		})
	}
	close(start)
	callers.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			continue
		}
		if auth.CodeOf(err) != auth.Conflict {
			t.Errorf("caller %d: got %v, want a conflict", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d callers won, want 1", won)
	}
}

func TestOfManyNodesOneWins(t *testing.T) {
	all, ctx := nodes(t, testserver.Postgres(t, "fsync=off"), 2), t.Context()
	d := all[0]
	account := store.Account{ID: "a", Realm: "default", Username: "ana"}
	if err := d.InsertAccount(ctx, account); err != nil {
		t.Fatal(err)
	}
	id, err := d.InsertKey(ctx, store.Key{Realm: "default", Digest: auth.DigestOf("key")})
	if err != nil {
		t.Fatal(err)
	}
	expired := testSession(1000)
	expired.Slot, expired.Expires = "expired", time.Now().Add(-time.Minute)
	if err := d.InsertSession(ctx, expired); err != nil {
		t.Fatal(err)
	}
	insert(t, d, 2000)
	for name, do := range map[string]func(*database, int) error{
		"a slot": func(d *database, i int) error {
			s := testSession(i)
			s.Slot = "free"
			return d.InsertSession(ctx, s)
		},
		"a slot that expired": func(d *database, i int) error {
			s := testSession(100 + i)
			s.Slot = "expired"
			return d.InsertSession(ctx, s)
		},
		"a digest, some of many sessions at once": func(d *database, i int) error {
			s := testSession(200 + i)
			s.Digest = auth.DigestOf("one")
			if i%4 < 2 {
				return d.InsertSession(ctx, s)
			}
			return d.InsertSession(ctx, s, testSession(300+i))
		},
		"an exchange": func(d *database, i int) error {
			return d.ExchangeSession(ctx, testSession(2000), testSession(400+i))
		},
		"a username, of accounts whose names cross": func(d *database, i int) error {
			a := store.Account{ID: fmt.Sprint("id", i), Realm: "default", Username: "boss", Email: "the@boss.example"}
			if i%2 == 0 {
				a.Username, a.Email = a.Email, a.Username
			}
			return d.InsertAccount(ctx, a)
		},
		"a version of an account": func(d *database, i int) error {
			a := account
			a.Email = fmt.Sprint(i, "@ana.example")
			return d.UpdateAccount(ctx, a)
		},
		"a version of a key": func(d *database, i int) error {
			return d.UpdateKey(ctx, store.Key{ID: id, Realm: "default", Digest: auth.DigestOf(fmt.Sprint("key", i))})
		},
		"a first identity": func(d *database, i int) error {
			return d.InsertIdentity(ctx, store.Identity{ID: fmt.Sprint(i), Realm: "default", Account: "a"}, true)
		},
		"a first signing key": func(d *database, i int) error {
			return d.InsertSigningKey(ctx, store.SigningKey{ID: fmt.Sprint(i), Use: "token"}, true)
		},
		"a tenant's name": func(d *database, i int) error {
			return d.InsertTenant(ctx, store.Tenant{ID: fmt.Sprint("t", i), Realm: "default", Name: "acme"})
		},
	} {
		t.Run(name, func(t *testing.T) { oneWinsAmong(t, all, do) })
	}
}

// TestARevocationLeavesNothingOfAFamilyThatIsRefreshedMeanwhile on the other
// node: a refresh puts a row there that the revocation cannot see at first.
func TestARevocationLeavesNothingOfAFamilyThatIsRefreshedMeanwhile(t *testing.T) {
	all, ctx := nodes(t, testserver.Postgres(t, "fsync=off"), 2), t.Context()
	refreshed := 0
	for round := range 60 {
		first := testSession(100 * round)
		first.Family, first.Subject = fmt.Sprint("family ", round), fmt.Sprint("subject ", round)
		if err := all[0].InsertSession(ctx, first); err != nil {
			t.Fatal(err)
		}
		var n atomic.Int64
		var callers sync.WaitGroup
		start := make(chan struct{})
		callers.Go(func() {
			<-start
			for old, i := first, 1; i < 99; i++ {
				next := testSession(100*round + i)
				next.Family, next.Subject = first.Family, first.Subject
				if all[0].ExchangeSession(ctx, old, next) != nil {
					return
				}
				n.Add(1)
				old = next
			}
		})
		match := store.SessionMatch{Family: first.Family}
		if round%2 == 0 {
			match = store.SessionMatch{Subject: first.Subject}
		}
		var err error
		callers.Go(func() {
			<-start
			for n.Load() < int64(round%4) {
				if ctx.Err() != nil {
					return
				}
			}
			_, err = all[1].RevokeSessions(ctx, "default", match)
		})
		close(start)
		callers.Wait()
		if err != nil {
			t.Fatal(err)
		}
		refreshed += int(n.Load())
		q := store.SessionQuery{Where: store.Filter{Field: store.FieldFamily, Op: store.Equal, Values: []any{first.Family}}}
		if rows, _, err := all[0].FindSessions(ctx, "default", q); err != nil || len(rows) > 0 {
			t.Fatalf("round %d: %d rows outlive the revocation, %v", round, len(rows), err)
		}
	}
	if refreshed == 0 {
		t.Error("nothing was refreshed meanwhile")
	}
}

func TestAKeyIsOfAnAccountThatIsThereOrIsNotMade(t *testing.T) {
	all, ctx := nodes(t, testserver.Postgres(t, "fsync=off"), 2), t.Context()
	for round := range 30 {
		id := fmt.Sprint("account", round)
		if err := all[0].InsertAccount(ctx, store.Account{ID: id, Realm: "default", Username: id}); err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		errs := make([]error, 5)
		for i := range 4 {
			callers.Go(func() {
				_, errs[i] = all[0].InsertKey(ctx, store.Key{Realm: "default", Account: id, Digest: auth.DigestOf(fmt.Sprint(round, i))})
			})
		}
		callers.Go(func() { errs[4] = all[1].DeleteAccount(ctx, "default", id) })
		callers.Wait()
		for _, err := range errs {
			if err != nil && auth.CodeOf(err) != auth.NotFound {
				t.Fatal(err)
			}
		}
		keys, err := all[0].ListKeys(ctx, "default", store.KeyFilter{Account: id}, store.Page{})
		if err != nil || len(keys) > 0 {
			t.Fatalf("round %d: %d keys of an account that is gone, %v", round, len(keys), err)
		}
	}
}

// TestAFollowerMissesNoChange of several nodes that record at once, however it
// reads: a sequence that became visible before a lower one would be one.
func TestAFollowerMissesNoChange(t *testing.T) {
	all, ctx := nodes(t, testserver.Postgres(t), 3), t.Context()
	const callers, each = 16, 25
	var writing sync.WaitGroup
	for i := range callers {
		writing.Go(func() {
			for n := range each {
				c := store.Change{Realm: "default", Kind: store.SubjectChanged, ID: fmt.Sprint(i, " ", n)}
				if err := all[i%2].Record(ctx, c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen, after := map[string]bool{}, int64(0)
	for len(seen) < callers*each && !t.Failed() {
		changes, err := all[2].Since(ctx, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			seen[c.ID], after = true, c.Seq
		}
		latest, err := all[2].Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if latest == after {
			done := make(chan struct{})
			go func() { writing.Wait(); close(done) }()
			select {
			case <-done:
				if n, err := all[2].Latest(ctx); err != nil || n == after && len(seen) < callers*each {
					t.Fatalf("the follower saw %d of %d changes up to the last, %v", len(seen), callers*each, err)
				}
			default:
			}
		}
	}
	writing.Wait()
}

func TestWaitReturnsWellBeforeItsHeartbeatWhenAnotherNodeCommits(t *testing.T) {
	all := nodes(t, testserver.Postgres(t, "fsync=off"), 2)
	quick := 0
	for range 10 {
		after, err := all[0].Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		start := time.Now()
		go func() { waited <- all[0].Wait(t.Context(), after) }()
		if err := all[1].Record(t.Context(), store.Change{Kind: store.AllChanged}); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		if time.Since(start) < beatEvery/2 {
			quick++
		}
	}
	if quick < 3 {
		t.Fatalf("%d of 10 waits ended before the next question was due", quick)
	}
}

// TestANodeThatStoppedInATransactionHoldsNobodyUpForLong stands in for a node
// that was paused after it had locked a row.
func TestANodeThatStoppedInATransactionHoldsNobodyUpForLong(t *testing.T) {
	server := testserver.Postgres(t)
	d := openServer(t, server.DSN(), Options{})
	insert(t, d, 0)
	config, err := postgresConfig(server.DSN(), Options{}.withDefaults(), len(postgresSteps(t)), new(hosts))
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := pgx.ConnectConfig(t.Context(), config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stopped.Close(context.Background()) }()
	if _, err := stopped.Exec(t.Context(), `BEGIN; UPDATE sessions SET version = version; `+lockChanges); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = d.Record(t.Context(), store.Change{Kind: store.AllChanged})
	if took := time.Since(start); took > prompt {
		t.Errorf("a write that waits for it took %v", took)
	}
	if err != nil {
		wantCode(t, err, auth.Unavailable)
	}
	insert(t, d, 1) // a login does not wait for it
	eventually(t, "its locks are free", func() bool {
		return d.ExchangeSession(t.Context(), testSession(0)) == nil && d.Record(t.Context(), store.Change{Kind: store.AllChanged}) == nil
	})
	if took := time.Since(start); took > 2*prompt {
		t.Errorf("its locks were free after %v", took)
	}
}

// TestCallersWhoGoAwayCostNoConnections: to give up a statement does.
func TestCallersWhoGoAwayCostNoConnections(t *testing.T) {
	d := openServer(t, testserver.Postgres(t, "fsync=off").DSN(), patient)
	insert(t, d, 0)
	works(t, d, 10)
	e := d.engine.(*server)
	before := e.pool.Stat().NewConnsCount()
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, _ = d.Session(ctx, "default", store.SessionRef{ID: testSession(0).ID})
		_ = d.InsertSession(ctx, testSession(100+i))
		_ = d.Record(ctx, store.Change{Kind: store.AllChanged})
	}
	if n := e.pool.Stat().NewConnsCount() - before; n > 8 {
		t.Errorf("%d new connections", n)
	}
}

// TestAServerThatWentBackHasEverybodyForget stands in for one that took over
// without the last commits.
func TestAServerThatWentBackHasEverybodyForget(t *testing.T) {
	server := testserver.Postgres(t, "fsync=off")
	d := openServer(t, server.DSN(), patient)
	for range 10 {
		if err := d.Record(t.Context(), store.Change{Realm: "default", Kind: store.SubjectChanged, ID: "ana"}); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := d.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(server.DSN(), `DELETE FROM changes WHERE seq > 3; SELECT setval(pg_get_serial_sequence('changes', 'seq'), 3)`)
	server.Exec(server.DSN(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gatehouse'`)
	var changes []store.Change
	eventually(t, "a change beyond what was seen", func() bool {
		changes, _ = d.Since(t.Context(), seen, 10)
		return len(changes) > 0
	})
	if changes[0].Kind != store.AllChanged {
		t.Errorf("got %v, want that everything changed", changes[0])
	}
}

func TestAKilledServerHasLostNothingThatWasAnswered(t *testing.T) {
	server := testserver.Postgres(t)
	d := openServer(t, server.DSN(), Options{})
	var next atomic.Int64
	for range 3 {
		var mu sync.Mutex
		var answered, revoked []int
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for {
					n := int(next.Add(1))
					if d.InsertSession(t.Context(), testSession(n)) != nil {
						return
					}
					mu.Lock()
					answered = append(answered, n)
					mu.Unlock()
					if n%4 > 0 {
						continue
					}
					if _, err := d.RevokeSessions(t.Context(), "default", store.SessionMatch{ID: testSession(n).ID}); err != nil {
						return
					}
					mu.Lock()
					revoked = append(revoked, n)
					mu.Unlock()
				}
			})
		}
		eventually(t, "a hundred logins", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(answered) > 100
		})
		server.Kill()
		callers.Wait()
		server.Start()
		eventually(t, "the store works again", func() bool {
			_, err := d.Latest(t.Context())
			return err == nil
		})
		gone := map[int]bool{}
		for _, n := range revoked {
			lacks(t, d, n)
			gone[n] = true
		}
		for _, n := range answered {
			if !gone[n] && n%4 > 0 {
				has(t, d, n)
			}
		}
	}
}

// A queue that is full is one of eight gigabytes. A function that fails as it does
// stands in for it.
func TestAQueueOfNotificationsThatIsFullHoldsNoRevocationUp(t *testing.T) {
	pg := testserver.Postgres(t, "fsync=off")
	dsn := pg.DSN() + "&search_path=public,pg_catalog"
	d := openServer(t, dsn, patient)
	insert(t, d, 0)
	pg.Exec(pg.DSN(), `CREATE FUNCTION public.pg_notify(TEXT, TEXT) RETURNS VOID LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END $$`)
	before, err := d.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := d.RevokeSessions(t.Context(), "default", store.SessionMatch{ID: testSession(0).ID})
	if err != nil || n != 1 {
		t.Fatalf("%d sessions went: %v", n, err)
	}
	lacks(t, d, 0)
	if changes, err := d.Since(t.Context(), before, 10); err != nil || len(changes) != 1 {
		t.Errorf("the changes are %v, %v", changes, err)
	}
}

func postgresSteps(t *testing.T) []migration {
	t.Helper()
	all, err := readMigrations(postgresFlavour().migrations)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOpenPostgresRefusesInOneSentence(t *testing.T) {
	server := testserver.Postgres(t, "fsync=off")
	future := server.Database("future")
	d := openServer(t, future, patient)
	if err := d.shut(); err != nil {
		t.Fatal(err)
	}
	server.Exec(future, "INSERT INTO schema_migrations (version, name, applied) VALUES (99, 'x', 0)")
	foreign := server.Database("foreign")
	server.Exec(foreign, "CREATE TABLE recipes (name TEXT)")
	bare := server.Database("bare")
	server.Exec(bare, "REVOKE ALL ON SCHEMA public FROM PUBLIC, pg_database_owner; ALTER SCHEMA public OWNER TO postgres")
	still := server.Database("still")
	server.Exec(still, "ALTER DATABASE still SET default_transaction_read_only = on")
	server.Exec(future, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	for _, c := range []struct{ name, dsn, says string }{
		{"a database that cannot keep every name", strings.Replace(future, "future", "latin", 1), "ENCODING 'UTF8'"},
		{"a schema of the future", future, "run the version that wrote it, or a newer one"},
		{"a database of another program", foreign, "tables of another program"},
		{"a user without the right to make tables", bare, "needs USAGE and CREATE on the schema"},
		{"a database that takes no writes", still, "is read only"},
		{"a database that is not there", strings.Replace(future, "future", "absent", 1), "create the database first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenPostgres(t.Context(), c.dsn, patient)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.says)
			}
		})
	}
}

func TestMigrationsOfPostgresThatFailLeaveNothingBehind(t *testing.T) {
	server := testserver.Postgres(t, "fsync=off")
	broken := postgresFlavour()
	broken.migrations = fstest.MapFS{
		"0001_initial.sql": {Data: []byte(`CREATE TABLE a (b TEXT)`)},
		"0002_broken.sql":  {Data: []byte(`CREATE TABLE c (d TEXT); CREATE NONSENSE`)},
	}
	if _, err := openPostgres(t.Context(), server.DSN(), broken, patient); err == nil || !strings.Contains(err.Error(), "0002_broken.sql") {
		t.Fatalf("got %v, want an error that names the migration", err)
	}
	var opening sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		opening.Go(func() {
			d, err := openPostgres(context.Background(), server.DSN(), postgresFlavour(), Options{MaxConns: 4, Wait: patient.Wait})
			if err == nil {
				err = errors.Join(d.InsertSession(context.Background(), testSession(i)), d.shut())
			}
			errs[i] = err
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestThePlansOfPostgresUseAnIndex for what is asked with every request and for
// what a node repeats.
func TestThePlansOfPostgresUseAnIndex(t *testing.T) {
	server := testserver.Postgres(t, "fsync=off")
	d := openServer(t, server.DSN(), patient)
	var rows []store.Session
	for i := range 2000 {
		s := testSession(i)
		s.Slot, s.Subject, s.Tenant, s.Unit = fmt.Sprint("slot", i), fmt.Sprint("subject", i), fmt.Sprint("tenant", i%100), "unit"
		rows = append(rows, s)
	}
	if err := d.InsertSession(t.Context(), rows...); err != nil {
		t.Fatal(err)
	}
	server.Exec(server.DSN(), "ANALYZE sessions")
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	where, _ := matchSessions("default", store.SessionMatch{Subject: "x"})
	f := postgresFlavour()
	for query, index := range map[string]string{
		sessionByDigest: "sessions_digest", sessionByID: "sessions_id", sessionBySlot: "sessions_slot",
		updateSession: "sessions_id", f.sweep: "sessions_keep", clearSlot: "sessions_slot",
		`DELETE FROM sessions WHERE ` + where + ` AND keep > ?`: "sessions_subject",
		string(stampSession): "sessions_id", deleteUnitSessions: "sessions_tenant",
		`SELECT seq, realm, kind, id, at FROM changes WHERE seq > ? ORDER BY seq LIMIT ?`: "changes_pkey",
	} {
		if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; DEALLOCATE ALL; PREPARE asked AS `+numbered(query)); err != nil {
			t.Fatal(err)
		}
		values := strings.TrimSuffix(strings.Repeat("NULL, ", strings.Count(query, "?")), ", ")
		rows, _ := conn.Query(t.Context(), `EXPLAIN EXECUTE asked (`+values+`)`, pgx.QueryExecModeSimpleProtocol)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
}

// TestAUserWhoMayNotMakeTablesIsEnoughOnceTheyAreThere, in a schema of another
// name.
func TestAUserWhoMayNotMakeTablesIsEnoughOnceTheyAreThere(t *testing.T) {
	pg := testserver.Postgres(t, "fsync=off")
	pg.Exec(pg.DSN(), "CREATE SCHEMA kept AUTHORIZATION gatehouse; CREATE ROLE gateway LOGIN; CREATE TABLE public.recipes (name TEXT)")
	owner := pg.DSN() + "&search_path=kept"
	d := openServer(t, owner, patient)
	insert(t, d, 0)
	for _, grant := range []string{
		"GRANT USAGE ON SCHEMA kept TO gateway",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kept TO gateway",
		"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA kept TO gateway",
	} {
		pg.Exec(pg.DSN(), grant)
	}
	e := openServer(t, strings.Replace(owner, "//gatehouse@", "//gateway@", 1), patient)
	has(t, e, 0)
	works(t, e, 100)
	if _, err := e.TrimChanges(t.Context(), time.Now().Add(time.Hour), 10); err != nil {
		t.Error(err)
	}
	if err := e.engine.(*server).forgetAll(1000); err != nil {
		t.Error(err)
	}
}
