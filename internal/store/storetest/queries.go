package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// SessionQueries holds a backend's FindSessions to the contract.
func SessionQueries(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a filter of one string field selects what its comparison says", queryStrings},
		{"a filter of a time selects what its comparison says", queryTimes},
		{"a digest is selected by equality only", queryDigest},
		{"every field can be selected by", queryFields},
		{"null is an empty string or a zero time", queryNull},
		{"filters join by and and or, at any depth", queryTree},
		{"what expired or was used is found until its Keep", queryEnded},
		{"rows come in the order of several fields, either way, then of id", queryOrder},
		{"rows come page by page, with the total of all pages", queryPages},
		{"a query that cannot be read is malformed", queryMalformed},
		{"a filter takes a thousand values and a hundred branches", queryLarge},
		{"text in a filter is only ever text", queryOddText},
		{"a query shows its realm only", queryRealms},
	})
}

// find returns what q selects in the home realm and holds its total to it.
func (f *fixture) find(t *testing.T, q store.SessionQuery) []store.Session {
	t.Helper()
	rows, total, err := f.Sessions.FindSessions(t.Context(), home, q)
	ok(t, err)
	if q.Page == (store.Page{}) {
		want(t, total, len(rows))
	}
	return rows
}

func where(field store.SessionField, op store.Op, values ...any) store.SessionQuery {
	return store.SessionQuery{Where: leaf(field, op, values...)}
}

func leaf(field store.SessionField, op store.Op, values ...any) store.Filter {
	return store.Filter{Field: field, Op: op, Values: values}
}

// selects fails the clause unless the filter selects the sessions of these
// subjects, which is what the rows of these clauses are told apart by.
func (f *fixture) selects(t *testing.T, w store.Filter, subjects ...string) {
	t.Helper()
	rows := f.find(t, store.SessionQuery{Where: w, Order: []store.Order{{Field: store.FieldSubject}}})
	got := names(rows, func(s store.Session) string { return s.Subject })
	if !slices.Equal(got, subjects) {
		t.Fatalf("%+v selects %q, want %q", w, got, subjects)
	}
}

func queryStrings(t *testing.T, f *fixture) {
	for _, associate := range []string{"", "B", "a", "b", "ä"} {
		s := session(f.clock, associate)
		s.Subject, s.Associate = "of "+associate, associate
		f.insertSessions(t, s)
	}
	for _, c := range []struct {
		op     store.Op
		values []any
		want   []string
	}{
		{store.Equal, []any{"a"}, []string{"of a"}},
		{store.Equal, []any{"A"}, nil},
		{store.NotEqual, []any{"a"}, []string{"of ", "of B", "of b", "of ä"}},
		{store.In, []any{"a", "ä", "x"}, []string{"of a", "of ä"}},
		{store.In, nil, nil},
		{store.NotIn, []any{"a", "ä", "x"}, []string{"of ", "of B", "of b"}},
		{store.NotIn, nil, []string{"of ", "of B", "of a", "of b", "of ä"}},
		{store.Less, []any{"a"}, []string{"of B"}},
		{store.LessOrEqual, []any{"a"}, []string{"of B", "of a"}},
		{store.Greater, []any{"a"}, []string{"of b", "of ä"}},
		{store.GreaterOrEqual, []any{"a"}, []string{"of a", "of b", "of ä"}},
	} {
		f.selects(t, leaf(store.FieldAssociate, c.op, c.values...), c.want...)
	}
}

func queryTimes(t *testing.T, f *fixture) {
	noon := f.clock.Now()
	for i, updated := range []time.Time{{}, noon.Add(-time.Millisecond), noon, noon.Add(time.Millisecond)} {
		s := session(f.clock, decimal(int64(i)))
		s.Subject, s.Updated = decimal(int64(i)), updated
		f.insertSessions(t, s)
	}
	elsewhere := noon.Add(999_999).In(time.FixedZone("far", 13*3600)) // the same millisecond
	for _, at := range []time.Time{noon, elsewhere} {
		for _, c := range []struct {
			op   store.Op
			want []string
		}{
			{store.Equal, []string{"2"}},
			{store.NotEqual, []string{"0", "1", "3"}},
			{store.In, []string{"2"}},
			{store.NotIn, []string{"0", "1", "3"}},
			{store.Less, []string{"1"}},
			{store.LessOrEqual, []string{"1", "2"}},
			{store.Greater, []string{"3"}},
			{store.GreaterOrEqual, []string{"2", "3"}},
		} {
			f.selects(t, leaf(store.FieldUpdated, c.op, at), c.want...)
		}
	}
}

func queryDigest(t *testing.T, f *fixture) {
	var digests []any
	for _, name := range []string{"a", "b", "c"} {
		s := session(f.clock, name)
		s.Subject = name
		f.insertSessions(t, s)
		digests = append(digests, s.Digest)
	}
	f.selects(t, leaf(store.FieldDigest, store.Equal, digests[0]), "a")
	f.selects(t, leaf(store.FieldDigest, store.NotEqual, digests[0]), "b", "c")
	f.selects(t, leaf(store.FieldDigest, store.In, digests[0], digests[2]), "a", "c")
	f.selects(t, leaf(store.FieldDigest, store.NotIn, digests[0], digests[2]), "b")
	f.selects(t, leaf(store.FieldDigest, store.Equal, nil))
	for _, op := range []store.Op{store.Less, store.LessOrEqual, store.Greater, store.GreaterOrEqual} {
		_, _, err := f.Sessions.FindSessions(t.Context(), home, where(store.FieldDigest, op, digests[0]))
		refused(t, err, auth.Malformed)
	}
	_, _, err := f.Sessions.FindSessions(t.Context(), home, store.SessionQuery{Order: []store.Order{{Field: store.FieldDigest}}})
	refused(t, err, auth.Malformed)
}

func queryFields(t *testing.T, f *fixture) {
	a, b := fullSession(f.clock, "a"), fullSession(f.clock, "b")
	a.Dialect, a.Kind = "login_token", store.RefreshToken
	a.Issued, a.Updated, a.Expires = a.Issued.Add(-1e9), a.Updated.Add(-1e9), a.Expires.Add(-1e9)
	f.insertSessions(t, a, b)
	for field, value := range map[store.SessionField]any{
		store.FieldID: a.ID, store.FieldDigest: a.Digest, store.FieldDialect: a.Dialect,
		store.FieldKind: string(a.Kind), store.FieldSubject: a.Subject, store.FieldIdentity: a.Identity,
		store.FieldAssociate: a.Associate, store.FieldTenant: a.Tenant, store.FieldFamily: a.Family,
		store.FieldIssued: a.Issued, store.FieldUpdated: a.Updated, store.FieldExpires: a.Expires,
	} {
		f.selects(t, leaf(field, store.Equal, value), a.Subject)
		f.selects(t, leaf(field, store.NotEqual, value), b.Subject)
		if field == store.FieldDigest {
			continue
		}
		for _, descending := range []bool{false, true} {
			q := store.SessionQuery{Order: []store.Order{{Field: field, Descending: descending}}}
			if rows := f.find(t, q); len(rows) != 2 {
				t.Fatalf("in the order of %s there are %d rows", field, len(rows))
			}
		}
	}
}

func queryNull(t *testing.T, f *fixture) {
	bare, full := session(f.clock, "bare"), fullSession(f.clock, "full")
	bare.Subject, full.Subject = "bare", "full"
	f.insertSessions(t, bare, full)
	for field, zero := range map[store.SessionField]any{
		store.FieldIdentity: "", store.FieldAssociate: "", store.FieldTenant: "",
		store.FieldFamily: "", store.FieldUpdated: time.Time{},
	} {
		for _, null := range []any{nil, zero} {
			f.selects(t, leaf(field, store.Equal, null), "bare")
			f.selects(t, leaf(field, store.NotEqual, null), "full")
			f.selects(t, leaf(field, store.In, null), "bare")
			f.selects(t, leaf(field, store.NotIn, null), "full")
			_, _, err := f.Sessions.FindSessions(t.Context(), home, where(field, store.GreaterOrEqual, null))
			refused(t, err, auth.Malformed)
		}
		for _, descending := range []bool{false, true} {
			rows := f.find(t, store.SessionQuery{Order: []store.Order{{Field: field, Descending: descending}}})
			if first := rows[0].Subject == "bare"; first == descending {
				t.Fatalf("null is not before all else in the order of %s", field)
			}
		}
	}
	f.selects(t, leaf(store.FieldTenant, store.In, nil, full.Tenant), "bare", "full")
	f.selects(t, leaf(store.FieldTenant, store.NotIn, nil, full.Tenant))
}

func queryTree(t *testing.T, f *fixture) {
	for _, name := range []string{"a1", "a2", "b1", "b2"} {
		s := session(f.clock, name)
		s.Subject, s.Tenant, s.Family = name, name[:1], name[1:]
		f.insertSessions(t, s)
	}
	tenant := func(v string) store.Filter { return leaf(store.FieldTenant, store.Equal, v) }
	family := func(v string) store.Filter { return leaf(store.FieldFamily, store.Equal, v) }
	all := func(fs ...store.Filter) store.Filter { return store.Filter{All: fs} }
	some := func(fs ...store.Filter) store.Filter { return store.Filter{Any: fs} }

	f.selects(t, store.Filter{}, "a1", "a2", "b1", "b2")
	f.selects(t, all(), "a1", "a2", "b1", "b2")
	f.selects(t, all(tenant("a"), family("2")), "a2")
	f.selects(t, some(tenant("a"), family("2")), "a1", "a2", "b2")
	f.selects(t, all(some(tenant("a"), tenant("b")), family("1")), "a1", "b1")
	f.selects(t, some(all(tenant("a"), family("1")), all(tenant("b"), family("2"))), "a1", "b2")
	f.selects(t, some(tenant("a"), store.Filter{}), "a1", "a2", "b1", "b2")
	f.selects(t, all(tenant("a"), store.Filter{}), "a1", "a2")
	f.selects(t, all(tenant("a"), tenant("b")))
	deep := tenant("b")
	for range 10 {
		deep = all(some(deep))
	}
	_, _, err := f.Sessions.FindSessions(t.Context(), home, store.SessionQuery{Where: deep})
	refused(t, err, auth.Malformed) // past the bound on depth
	f.selects(t, all(some(all(some(all(some(tenant("b"))))))), "b1", "b2")
}

func queryEnded(t *testing.T, f *fixture) {
	ended := map[string]store.Session{}
	for _, name := range []string{"live", "expired", "used"} {
		s := session(f.clock, name)
		s.Subject, s.Kind, s.Identity = name, store.OneTimeToken, "of all"
		ended[name] = s
		f.insertSessions(t, s)
	}
	used, expired := ended["used"], ended["expired"]
	used.Retired, expired.Expires = f.clock.Now(), f.clock.Now()
	ok(t, f.Sessions.ExchangeSession(t.Context(), used))
	ok(t, f.Sessions.ExchangeSession(t.Context(), expired))
	own := leaf(store.FieldIdentity, store.Equal, "of all")
	once := leaf(store.FieldKind, store.Equal, string(store.OneTimeToken))
	f.selects(t, store.Filter{All: []store.Filter{own, once}}, "expired", "live", "used")
	f.selects(t, leaf(store.FieldExpires, store.LessOrEqual, f.clock.Now()), "expired")

	used.Version++
	used.Keep, used.Expires = f.clock.Now(), f.clock.Now() // as a dialect lets one go
	ok(t, f.Sessions.ExchangeSession(t.Context(), used))
	f.selects(t, once, "expired", "live")
	f.clock.set(ended["live"].Keep)
	f.selects(t, once)
}

func queryOrder(t *testing.T, f *fixture) {
	var rows []store.Session
	for i := range 8 {
		s := session(f.clock, decimal(int64(i)))
		s.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", 7*i%8) // not the order of insertion
		s.Tenant, s.Issued = decimal(int64(i%2)), f.clock.after(time.Duration(i/4)*time.Millisecond)
		rows = append(rows, s)
	}
	f.insertSessions(t, rows...)
	for _, order := range [][]store.Order{
		nil,
		{{Field: store.FieldTenant}},
		{{Field: store.FieldTenant, Descending: true}},
		{{Field: store.FieldTenant}, {Field: store.FieldIssued, Descending: true}},
		{{Field: store.FieldIssued, Descending: true}, {Field: store.FieldTenant}},
		{{Field: store.FieldIssued}, {Field: store.FieldTenant, Descending: true}, {Field: store.FieldID, Descending: true}},
		{{Field: store.FieldID, Descending: true}, {Field: store.FieldTenant}},
	} {
		expected := slices.SortedFunc(slices.Values(rows), inOrder(order))
		want(t, f.find(t, store.SessionQuery{Order: order}), expected)
	}
}

// inOrder compares sessions by the fields that queryOrder uses, then by id.
func inOrder(order []store.Order) func(a, b store.Session) int {
	key := func(s store.Session, field store.SessionField) string {
		switch field {
		case store.FieldTenant:
			return s.Tenant
		case store.FieldIssued:
			return s.Issued.Format("2006-01-02T15:04:05.000") // of one length, so that text sorts as time
		}
		return s.ID
	}
	return func(a, b store.Session) int {
		for _, o := range append(slices.Clone(order), store.Order{Field: store.FieldID}) {
			x, y := key(a, o.Field), key(b, o.Field)
			if x == y {
				continue
			}
			if (x < y) != o.Descending {
				return -1
			}
			return 1
		}
		return 0
	}
}

func queryPages(t *testing.T, f *fixture) {
	for _, name := range []string{"c", "a", "e", "b", "d", "x"} {
		s := session(f.clock, name)
		s.Subject = name
		f.insertSessions(t, s)
	}
	q := store.SessionQuery{
		Where: leaf(store.FieldSubject, store.NotEqual, "x"),
		Order: []store.Order{{Field: store.FieldSubject}},
	}
	pages(t, []string{"a", "b", "c", "d", "e"}, func(p store.Page) ([]string, error) {
		q.Page = p
		rows, total, err := f.Sessions.FindSessions(t.Context(), home, q)
		if err == nil {
			want(t, total, 5)
		}
		return names(rows, func(s store.Session) string { return s.Subject }), err
	})
}

func queryMalformed(t *testing.T, f *fixture) {
	f.insertSessions(t, session(f.clock, "a"))
	text := leaf(store.FieldSubject, store.Equal, "a")
	for name, w := range map[string]store.Filter{
		"an unknown field":          leaf("password", store.Equal, "a"),
		"a field with a quote":      leaf(`subject" or "1"="1`, store.Equal, "a"),
		"no field":                  leaf("", store.Equal, "a"),
		"an unknown comparison":     leaf(store.FieldSubject, "like", "a"),
		"no comparison":             leaf(store.FieldSubject, "", "a"),
		"no value":                  leaf(store.FieldSubject, store.Equal),
		"two values":                leaf(store.FieldSubject, store.NotEqual, "a", "b"),
		"two values to order by":    leaf(store.FieldSubject, store.Less, "a", "b"),
		"a time for a string":       leaf(store.FieldSubject, store.Equal, f.clock.Now()),
		"a number for a string":     leaf(store.FieldSubject, store.Equal, 1),
		"a string for a time":       leaf(store.FieldIssued, store.Less, "2026-01-01T00:00:00Z"),
		"a string for a digest":     leaf(store.FieldDigest, store.Equal, "a"),
		"a digest for a string":     leaf(store.FieldID, store.Equal, auth.DigestOf("a")),
		"a list for a string":       leaf(store.FieldSubject, store.Equal, []string{"a"}),
		"one wrong value of two":    leaf(store.FieldSubject, store.In, "a", 1),
		"null to order by":          leaf(store.FieldSubject, store.Less, nil),
		"both and and or":           {All: []store.Filter{text}, Any: []store.Filter{text}},
		"a leaf that is a node":     {Field: text.Field, Op: text.Op, Values: text.Values, All: []store.Filter{text}},
		"a branch that is wrong":    {Any: []store.Filter{text, leaf("password", store.Equal, "a")}},
		"a deep branch that is too": {All: []store.Filter{{Any: []store.Filter{leaf("x", store.Equal, "a")}}}},
	} {
		_, _, err := f.Sessions.FindSessions(t.Context(), home, store.SessionQuery{Where: w})
		if err == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
	}
	for _, field := range []store.SessionField{"", "password", "id desc --"} {
		_, _, err := f.Sessions.FindSessions(t.Context(), home, store.SessionQuery{Order: []store.Order{{Field: field}}})
		refused(t, err, auth.Malformed)
	}
}

func queryLarge(t *testing.T, f *fixture) {
	var values []any
	var branches []store.Filter
	for i := range 1000 {
		values = append(values, "subject "+decimal(int64(i)))
		if i%10 == 0 {
			branches = append(branches, leaf(store.FieldSubject, store.Equal, values[i]))
		}
	}
	for _, n := range []int64{0, 990, 999} {
		s := session(f.clock, decimal(n))
		s.Subject = "subject " + decimal(n)
		f.insertSessions(t, s)
	}
	f.selects(t, leaf(store.FieldSubject, store.In, values...), "subject 0", "subject 990", "subject 999")
	f.selects(t, store.Filter{Any: branches}, "subject 0", "subject 990")
	for len(branches) <= store.MaxFilterNodes {
		branches = append(branches, branches...)
	}
	_, _, err := f.Sessions.FindSessions(t.Context(), home, store.SessionQuery{Where: store.Filter{Any: branches}})
	refused(t, err, auth.Malformed)
}

func queryOddText(t *testing.T, f *fixture) {
	s := session(f.clock, "a")
	f.insertSessions(t, s)
	for name, odd := range oddStrings() {
		for _, op := range []store.Op{store.Equal, store.In} {
			rows, total, err := f.Sessions.FindSessions(t.Context(), home, where(store.FieldSubject, op, odd))
			if kept(t, name, err) && len(rows)+total != 0 {
				t.Errorf("%s %s selects something", op, name)
			}
		}
	}
	f.holds(t, s)
}

func queryRealms(t *testing.T, f *fixture) {
	s, theirs := session(f.clock, "a"), session(f.clock, "b")
	theirs.Realm = foreign
	f.insertSessions(t, s, theirs)
	either := store.Filter{Any: []store.Filter{{}, leaf(store.FieldID, store.Equal, theirs.ID)}}
	want(t, f.find(t, store.SessionQuery{Where: either}), []store.Session{s})
}
