package sqlstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// maxTries bounds how often a transaction is started that the server undid.
	maxTries = 5

	// latestChange is the newest sequence that was ever visible.
	latestChange = `SELECT GREATEST((SELECT COALESCE(MAX(seq), 0) FROM changes), (SELECT seq FROM changes_trimmed))`

	// Changes are added by the last statements of a transaction, which are sent
	// together with its COMMIT. The lock is held until the commit is done and
	// visible, so that whoever sees a sequence sees all before it: a sequence
	// alone is given in another order than the commits. To wait here costs
	// little, since a transaction that notifies holds up all others that do so
	// until its commit is done anyway.
	lockChanges   = `SELECT pg_advisory_xact_lock(1197433443, 1)`
	insertChanges = `INSERT INTO changes (realm, kind, id, at)
		SELECT realm, kind, id, at FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY
		AS c (realm, kind, id, at, n) ORDER BY n RETURNING seq`
	notifyChanges = `SELECT pg_notify('` + channel + `', '')`
	channel       = "gatehouse_changes"
)

// remote is the [link] to a server. What begins or marks a part of a transaction
// waits for the next statement and is sent with it.
type remote struct {
	server  *server
	conn    *pgx.Conn
	pending []string
	sent    bool // something was, so that there is a transaction
	silent  bool // changes are stored and nobody is notified
}

// exec implements [link].
func (l *remote) exec(ctx context.Context, query string, args []any) (n int64, err error) {
	if !storable(args) {
		return 0, nil
	}
	err = l.send(ctx, l.server.text(query), args, func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// each implements [link].
func (l *remote) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	if !storable(args) {
		return nil
	}
	return l.send(ctx, l.server.text(query), args, func(r pgx.BatchResults) error {
		rows, err := r.Query()
		if err != nil {
			return err
		}
		return eachPgRow(rows, row)
	})
}

// control implements [link].
func (l *remote) control(ctx context.Context, query string) error {
	if !strings.HasPrefix(query, "ROLLBACK") {
		l.pending = append(l.pending, query)
		return nil
	}
	// Nothing else is taken before it.
	return l.send(ctx, query, nil, func(r pgx.BatchResults) error {
		_, err := r.Exec()
		return err
	})
}

// record implements [link]: changes are stored by [remote.commit].
func (l *remote) record(*tx, *store.Change) error { return nil }

// send sends what is pending and a statement, whose answer read takes.
func (l *remote) send(ctx context.Context, query string, args []any, read func(pgx.BatchResults) error) error {
	var b pgx.Batch
	for _, p := range l.pending {
		b.Queue(p)
	}
	b.Queue(query, args...)
	skip := len(l.pending)
	l.pending, l.sent = nil, true
	r := l.conn.SendBatch(ctx, &b)
	for range skip {
		if _, err := r.Exec(); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	err := read(r)
	if e := r.Close(); err == nil {
		err = e
	}
	return err
}

// commit stores the changes of a transaction and ends it. unknown says that
// nobody can say whether it was committed.
func (l *remote) commit(ctx context.Context, changes []store.Change) (unknown bool, err error) {
	if !l.sent && len(changes) == 0 {
		return false, nil
	}
	var b pgx.Batch
	for _, p := range l.pending {
		b.Queue(p)
	}
	if len(changes) > 0 {
		b.Queue(lockChanges)
		b.Queue(insertChanges, changeColumns(changes)...).Query(func(rows pgx.Rows) error {
			n := 0
			return eachPgRow(rows, func(r scanner) error {
				n++
				return r.Scan(&changes[n-1].Seq)
			})
		})
		if !l.silent {
			b.Queue(notifyChanges)
		}
	}
	committed := false
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	err = l.conn.SendBatch(ctx, &b).Close()
	switch {
	case err == nil && committed:
		return false, nil
	case err == nil:
		return false, errors.New("the server undid the transaction")
	}
	// An error of the server comes instead of the commit, anything else
	// maybe after it.
	return sqlState(err) == "" || broken(err), err
}

// storable reports whether every text among args is one that PostgreSQL can
// keep. No row has another, since the Check methods refuse it: what is asked for
// by such a text is not there.
func storable(args []any) bool {
	return !slices.ContainsFunc(args, func(arg any) bool {
		s, ok := arg.(string)
		return ok && (!utf8.ValidString(s) || strings.ContainsRune(s, 0))
	})
}

func changeColumns(changes []store.Change) []any {
	n := len(changes)
	realms, kinds, ids, ats := make([]string, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, c := range changes {
		if !storable([]any{c.Realm, c.ID}) { // of what cannot be there
			c.Realm, c.ID = "", ""
		}
		realms[i], kinds[i], ids[i], ats[i] = c.Realm, string(c.Kind), c.ID, millis(c.At)
	}
	return []any{realms, kinds, ids, ats}
}

// submit carries out a write in a transaction of its own. One that is known not
// to be committed is tried again while there is time: it lost against another,
// or its connection led nowhere. One of which nobody knows is not.
func (s *server) submit(ctx context.Context, do func(*tx) error) error {
	end := time.Now().Add(3 * s.patience)
	turn, cancelTurn := context.WithDeadline(ctx, end)
	defer cancelTurn()
	leave, err := s.enter(turn, s.writing)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := detached(ctx, end)
	defer cancel()
	silent := false
	for try := 1; ; try++ {
		again, err := s.transact(ctx, do, silent)
		if errors.Is(err, errNotified) { // the others hear of it by the next beat
			silent = true
		}
		if err == nil || !again || try == maxTries || ctx.Err() != nil {
			return err
		}
	}
}

// errNotified says that the server takes no more notifications: somebody who
// listens, in whatever database, has not fetched theirs for days.
var errNotified = errors.New("the server's queue of notifications is full")

// transact tries once, and says whether it may be tried again.
func (s *server) transact(ctx context.Context, do func(*tx) error, silent bool) (again bool, err error) {
	start := s.now()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, s.failed(err)
	}
	defer conn.Release()
	l := &remote{server: s, conn: conn.Conn(), pending: []string{"BEGIN"}, silent: silent}
	t := &tx{ctx: ctx, flavour: s.flavour, link: l, now: store.Precise(s.now())}
	if err := do(t); err != nil {
		l.undo(ctx)
		return repeatable(err) || broken(err), s.failed(err)
	}
	unknown, err := l.commit(ctx, t.changes)
	s.observe("commit", s.now().Sub(start), err)
	if err != nil {
		l.undo(ctx)
		if unknown {
			err = errors.Join(errUnanswered, err)
		}
		if sqlState(err) == pgTooLarge && len(t.changes) > 0 && !silent {
			return true, unavailable(errNotified)
		}
		return !unknown && repeatable(err), s.failed(err)
	}
	s.publish(t.changes)
	return false, nil
}

// undo ends a transaction. A connection on which that fails is given up when it
// is released.
func (l *remote) undo(ctx context.Context) {
	if l.sent && !l.conn.IsClosed() && l.conn.PgConn().TxStatus() != 'I' {
		_, _ = l.conn.Exec(ctx, "ROLLBACK")
	}
}

// publish hands changes out after their commit, before those who made them are
// answered.
func (s *server) publish(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	s.listener.saw(changes[len(changes)-1].Seq)
	s.local.publish(changes)
}
