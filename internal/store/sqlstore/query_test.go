package sqlstore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

// TestLookUpsUseAnIndex keeps them fast among millions of rows.
func TestLookUpsUseAnIndex(t *testing.T) {
	d := openTemp(t, Options{})
	match := func(m store.SessionMatch) string {
		where, _ := matchSessions("default", m)
		return `DELETE FROM sessions WHERE ` + where + ` AND keep > ?`
	}
	find := func(f store.Filter) string {
		var c condition
		c.add(f)
		return `SELECT COUNT(*) FROM sessions WHERE realm = ? AND keep > ? AND ` + c.text.String()
	}
	equal := func(f store.SessionField) store.Filter {
		return store.Filter{All: []store.Filter{
			{Field: f, Op: store.Equal, Values: []any{"x"}},
			{Field: store.FieldDialect, Op: store.NotEqual, Values: []any{"y"}},
		}}
	}
	for query, index := range map[string]string{
		sessionByDigest:                         "sessions_digest",
		sessionByID:                             "sessions_id",
		sessionBySlot:                           "sessions_slot",
		updateSession:                           "sessions_id",
		sweepSessions:                           "sessions_keep",
		clearSlot:                               "sessions_slot",
		match(store.SessionMatch{ID: "x"}):      "sessions_id",
		match(store.SessionMatch{Subject: "x"}): "sessions_subject",
		match(store.SessionMatch{Family: "x"}):  "sessions_family",
		match(store.SessionMatch{KeyID: 1}):     "sessions_key",
		find(equal(store.FieldSubject)):         "sessions_subject",
		find(equal(store.FieldIdentity)):        "sessions_identity",
		find(equal(store.FieldTenant)):          "sessions_tenant",
		find(equal(store.FieldFamily)):          "sessions_family",
		accountByName:                           "account_names",
		keyByDigest:                             "keys_digest",
		selectKey + `AND account <> '' AND account = ? ORDER BY id LIMIT ? OFFSET ?`: "keys_account",
		string(stampKey):  "INTEGER PRIMARY KEY",
		deleteKeySessions: "sessions_key",
		`DELETE FROM sessions WHERE realm = ? AND tenant <> '' AND tenant = ? AND unit = ?`: "sessions_tenant",
	} {
		plan := explainPlan(t, d, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
}

func explainPlan(t *testing.T, d *database, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := d.readers.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	steps, err := collect(rows, func(r scanner) (detail string, err error) {
		var skip any
		err = r.Scan(&skip, &skip, &skip, &detail)
		return detail, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}

// TestQueriesAgreeWithMemory asks both stores the same: the one in memory
// compares in Go, this one in SQL.
func TestQueriesAgreeWithMemory(t *testing.T) {
	now := store.Precise(time.Now())
	clock := func() time.Time { return now }
	d, memory := openTemp(t, Options{Now: clock}).store(), memstore.New(clock)
	t.Cleanup(func() { _ = memory.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	g := generator{r, now}
	for i := range 150 {
		s := g.session(i)
		for _, each := range []store.Store{d, memory} {
			if err := each.Sessions.InsertSession(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	some := 0
	for range 400 {
		q := g.query()
		rows, total, err := d.Sessions.FindSessions(t.Context(), "default", q)
		wantRows, wantTotal, wantErr := memory.Sessions.FindSessions(t.Context(), "default", q)
		if (err == nil) != (wantErr == nil) || err != nil && auth.CodeOf(err) != auth.CodeOf(wantErr) {
			t.Fatalf("%+v\ngot error %v, want %v", q, err, wantErr)
		}
		if total != wantTotal || !reflect.DeepEqual(ids(rows), ids(wantRows)) {
			t.Fatalf("%+v\ngot %d %v\nwant %d %v", q, total, ids(rows), wantTotal, ids(wantRows))
		}
		if total > 0 && total < 150 {
			some++
		}
	}
	if some < 80 {
		t.Fatalf("only %d of 400 queries selected some rows: they say little", some)
	}
}

func ids(rows []store.Session) []string {
	var list []string
	for _, s := range rows {
		list = append(list, s.ID)
	}
	return list
}

// generator makes sessions and queries of few values, so that they meet.
type generator struct {
	r   *rand.Rand
	now time.Time
}

var words = []string{"", "a", "A", "b", "ab", "%", "_", "é", "🔑", "a' OR '1'='1", "\\", "0"}

func (g generator) word() string { return words[g.r.IntN(len(words))] }

func (g generator) time() store.Time {
	if g.r.IntN(4) == 0 {
		return store.Time{}
	}
	return g.now.Add(time.Duration(g.r.IntN(5)-60*365*24) * time.Hour)
}

func (g generator) session(i int) store.Session {
	keep := g.now.Add(time.Hour)
	if g.r.IntN(10) == 0 {
		keep = g.now // past
	}
	return store.Session{
		ID: fmt.Sprint("id ", i), Realm: "default", Digest: auth.DigestOf(fmt.Sprint(i)), Dialect: g.word(),
		Kind: store.SessionKind(g.word()), Subject: g.word(), Identity: g.word(), Associate: g.word(), Tenant: g.word(),
		Family: g.word(), Issued: g.time(), Updated: g.time(), Expires: g.now.Add(-time.Duration(g.r.IntN(5)) * time.Hour), Keep: keep,
	}
}

func (g generator) query() store.SessionQuery {
	q := store.SessionQuery{Where: g.filter(0)}
	for range g.r.IntN(3) {
		q.Order = append(q.Order, store.Order{Field: g.field(), Descending: g.r.IntN(2) == 0})
	}
	if g.r.IntN(3) == 0 {
		q.Page = store.Page{Offset: g.r.IntN(20), Limit: g.r.IntN(20)}
	}
	return q
}

func (g generator) filter(depth int) store.Filter {
	if depth < 3 && g.r.IntN(2) == 0 {
		inner := make([]store.Filter, g.r.IntN(4))
		for i := range inner {
			inner[i] = g.filter(depth + 1)
		}
		if g.r.IntN(2) == 0 {
			return store.Filter{Any: inner}
		}
		return store.Filter{All: inner}
	}
	ops := []store.Op{store.Equal, store.NotEqual, store.In, store.NotIn, store.Less, store.LessOrEqual, store.Greater, store.GreaterOrEqual}
	f := store.Filter{Field: g.field(), Op: ops[g.r.IntN(len(ops))]}
	n := 1
	if f.Op == store.In || f.Op == store.NotIn {
		n = g.r.IntN(4)
	}
	for range n {
		f.Values = append(f.Values, g.value(f.Field))
	}
	return f
}

func (g generator) field() store.SessionField {
	fields := []store.SessionField{
		store.FieldID, store.FieldDigest, store.FieldDialect, store.FieldKind, store.FieldSubject, store.FieldIdentity,
		store.FieldAssociate, store.FieldTenant, store.FieldFamily, store.FieldIssued, store.FieldUpdated, store.FieldExpires,
	}
	return fields[g.r.IntN(len(fields))]
}

func (g generator) value(f store.SessionField) any {
	if g.r.IntN(12) == 0 {
		return nil
	}
	switch {
	case f == store.FieldDigest:
		return auth.DigestOf(fmt.Sprint(g.r.IntN(200)))
	case f == store.FieldID:
		return fmt.Sprint("id ", g.r.IntN(200))
	case f == store.FieldExpires:
		return g.now.Add(-time.Duration(g.r.IntN(5)) * time.Hour)
	case slices.Contains([]store.SessionField{store.FieldIssued, store.FieldUpdated}, f):
		return g.time()
	}
	return g.word()
}
