package sqlstore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
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
		sqliteFlavour().sweep:                   "sessions_keep",
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
		string(stampKey):     "INTEGER PRIMARY KEY",
		string(stampSession): "sessions_id",
		identitiesOf:         "identities_account",
		countIdentitiesOf:    "identities_account",
		identifierByName:     "identifiers_name",
		identifierByCode:     "identifiers_code",
		identifiersOf:        "identifiers_account",
		deleteKeySessions:    "sessions_key",
		deleteUnitSessions:   "sessions_tenant",
	} {
		plan := explainPlan(t, d, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
}

// TestSearchesUseAnIndex asks as a dialect does that lists its tokens: of one
// identity or of all, narrowed, ordered and cut as its client says. Whatever a
// client asks, the database reads none but tokens that are used once.
func TestSearchesUseAnIndex(t *testing.T) {
	d := openTemp(t, Options{})
	leaf := func(f store.SessionField, op store.Op, values ...any) store.Filter {
		return store.Filter{Field: f, Op: op, Values: values}
	}
	all := func(fs ...store.Filter) store.Filter { return store.Filter{All: fs} }
	some := func(fs ...store.Filter) store.Filter { return store.Filter{Any: fs} }
	ours := all(leaf(store.FieldDialect, store.Equal, "login_token"), leaf(store.FieldKind, store.Equal, string(store.OneTimeToken)))
	own, subject := leaf(store.FieldIdentity, store.Equal, "i"), leaf(store.FieldSubject, store.Equal, "a")
	family := leaf(store.FieldFamily, store.Equal, "f")
	digest, now := auth.DigestOf("token"), time.Now()
	asked := map[string]store.Filter{
		"nothing":             {},
		"an id":               leaf(store.FieldID, store.Equal, "a"),
		"ids":                 leaf(store.FieldID, store.In, "a", "b", nil),
		"a token":             leaf(store.FieldDigest, store.Equal, digest),
		"another token":       leaf(store.FieldDigest, store.NotIn, digest),
		"an associate":        leaf(store.FieldAssociate, store.Equal, nil),
		"a time":              leaf(store.FieldExpires, store.Less, now),
		"another identity":    leaf(store.FieldIdentity, store.NotEqual, "a"),
		"identities":          leaf(store.FieldIdentity, store.In, "a", nil),
		"either":              some(leaf(store.FieldID, store.Equal, "a"), leaf(store.FieldUpdated, store.Greater, now)),
		"either of many":      some(leaf(store.FieldID, store.Equal, "a"), leaf(store.FieldAssociate, store.NotEqual, "b"), all()),
		"nothing of anything": leaf(store.FieldID, store.In),
	}
	orders := [][]store.Order{
		nil,
		{{Field: store.FieldID, Descending: true}},
		{{Field: store.FieldIssued, Descending: true}},
		{{Field: store.FieldAssociate}, {Field: store.FieldExpires}, {Field: store.FieldUpdated, Descending: true}},
	}
	// Another index narrows to a realm, or to what is kept: that is nearly all.
	few := regexp.MustCompile(`SEARCH sessions USING INDEX ` +
		`(sessions_one_time \(realm=\?|sessions_(identity|subject|family|id|digest) \(realm=\? AND (identity|subject|family|id|digest)=\?\))`)
	for name, filter := range asked {
		for whose, w := range map[string]store.Filter{
			"own": all(ours, own, filter), "all": all(ours, filter), "any of own": all(own, filter), "a subject": all(subject, filter), "a family": all(ours, family, filter),
		} {
			for _, order := range orders {
				f := find("default", now, store.SessionQuery{Where: w, Order: order})
				for _, query := range []string{f.count, f.list} {
					plan := explainPlan(t, d, query)
					for step := range strings.Lines(plan) {
						if strings.Contains(step, "sessions") && !few.MatchString(step) {
							t.Errorf("%s of %s\n%s\n%s", name, whose, query, plan)
						}
					}
				}
				if !strings.HasSuffix(f.list, " LIMIT ? OFFSET ?") {
					t.Errorf("the page is not cut by the database: %s", f.list)
				}
			}
		}
	}
}

// TestASearchReadsItsPageOnly counts what one costs: of the many that a query
// selects, as many leave the database as the page has.
func TestASearchReadsItsPageOnly(t *testing.T) {
	d := openTemp(t, Options{})
	rows := make([]store.Session, 200)
	for i := range rows {
		rows[i] = testSession(i)
		rows[i].Kind, rows[i].Sealed = store.OneTimeToken, make([]byte, 4096)
	}
	if err := d.InsertSession(t.Context(), rows...); err != nil {
		t.Fatal(err)
	}
	q := store.SessionQuery{
		Where: store.Filter{Field: store.FieldKind, Op: store.Equal, Values: []any{string(store.OneTimeToken)}},
		Order: []store.Order{{Field: store.FieldIssued}},
	}
	cost := func(limit int) uint64 {
		q.Page.Limit = limit
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, total, err := d.FindSessions(t.Context(), "default", q)
		runtime.ReadMemStats(&after)
		if err != nil || len(got) != limit || total != len(rows) {
			t.Fatalf("got %d of %d, %v, want %d of %d", len(got), total, err, limit, len(rows))
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	cost(10) // what is set up once
	if page, whole := cost(10), cost(len(rows)); page > whole/10 {
		t.Errorf("a page of 10 takes %d bytes, all %d take %d", page, len(rows), whole)
	}
}

func explainPlan(t *testing.T, d *database, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := fileOf(d).pools.readers.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var steps []string
	err = eachRow(rows, func(r scanner) error {
		var skip any
		var detail string
		err := r.Scan(&skip, &skip, &skip, &detail)
		steps = append(steps, detail)
		return err
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
