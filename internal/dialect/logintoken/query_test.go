package logintoken

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// filterText writes a filter for comparison. Digests show what they are of.
func filterText(f session.Filter, known ...string) string {
	join := func(list []session.Filter, word string) string {
		texts := make([]string, len(list))
		for i, inner := range list {
			texts[i] = filterText(inner, known...)
		}
		return "(" + strings.Join(texts, " "+word+" ") + ")"
	}
	switch {
	case f.Op != "":
		texts := make([]string, len(f.Values))
		for i, v := range f.Values {
			texts[i] = valueText(v, known)
		}
		return fmt.Sprintf("%s %s %s", f.Field, f.Op, strings.Join(texts, ","))
	case len(f.Any) > 0:
		return join(f.Any, "or")
	case len(f.All) > 0:
		return join(f.All, "and")
	}
	return "all"
}

func valueText(v any, known []string) string {
	switch v := v.(type) {
	case auth.Digest:
		for _, text := range known {
			if auth.DigestOf(text) == v {
				return "#" + text
			}
		}
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

func TestQueries(t *testing.T) {
	const second = secondID
	upper := "ABCDEF11-1111-4111-8111-111111111111"
	for name, c := range map[string]struct{ raw, want string }{
		"nothing selects all":                        {"", "all"},
		"empty pairs are nothing":                    {"&&", "all"},
		"a member by its value":                      {"id=" + firstID, "id = " + firstID},
		"a UUID in lower case":                       {"identityProviderId=" + upper, "identity = " + strings.ToLower(upper)},
		"a token by its digest":                      {"token=a%2Bb+c", "digest = #a+b c"},
		"a date":                                     {"createdAt=2026-01-02T03:04:05.000Z", "issued = 2026-01-02T03:04:05Z"},
		"a date of another zone":                     {"updatedAt=2026-01-02T03:04:05%2B01:00", "updated = 2026-01-02T02:04:05Z"},
		"an empty value is null":                     {"associateUserId=", "associate = <nil>"},
		"a name without = is too":                    {"associateUserId", "associate = <nil>"},
		"not null":                                   {"associateUserId[$ne]=", "associate != <nil>"},
		"several members must all hold":              {"id=" + firstID + "&token=a", "(id = " + firstID + " and digest = #a)"},
		"operators with plain brackets":              {"expiresAt[$gt]=2026-01-01T00:00:00Z&expiresAt[$lte]=2026-01-02T00:00:00Z", "(expires > 2026-01-01T00:00:00Z and expires <= 2026-01-02T00:00:00Z)"},
		"operators with encoded brackets":            {"expiresAt%5B%24lt%5D=2026-01-01T00%3A00%3A00.000Z", "expires < 2026-01-01T00:00:00Z"},
		"at least":                                   {"expiresAt[$gte]=2026-01-01T00:00:00Z", "expires >= 2026-01-01T00:00:00Z"},
		"a list with numbers":                        {"id[$in][0]=" + firstID + "&id[$in][1]=" + second, "id in " + firstID + "," + second},
		"a list in the order of its numbers":         {"id[$in][10]=" + firstID + "&id[$in][2]=" + second, "id in " + second + "," + firstID},
		"a list without numbers":                     {"id[$nin][]=" + firstID + "&id[$nin][]=" + second, "id not in " + firstID + "," + second},
		"a list by a name that comes again":          {"token[$in]=a&token[$in]=b&token[$in]=a", "digest in #a,#b,#a"},
		"a list of one by itself":                    {"token[$nin]=a", "digest not in #a"},
		"or":                                         {"$or[0][id]=" + firstID + "&$or[1][token]=a&$or[1][associateUserId]=", "(id = " + firstID + " or (digest = #a and associate = <nil>))"},
		"or beside a member":                         {"token[$ne]=b&%24or%5B0%5D%5Bid%5D=" + firstID, "(digest != #b and (id = " + firstID + "))"},
		"and":                                        {"$and[0][token]=a&$and[1][id]=" + firstID, "(digest = #a and id = " + firstID + ")"},
		"the filter of the page":                     {"filter=" + url.QueryEscape(`{"id":"`+upper+`","token":"a","identityProviderId":"`+second+`","expiresAt":"2026-01-01T00:00:00Z","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}`), "(((((updated = 2026-01-01T00:00:00Z and x) ..."},
		"the filter of the page with operators":      {"filter=" + url.QueryEscape(`{"token":{"$in":["a","b"]},"associateUserId":null}`), "(associate = <nil> and digest in #a,#b)"},
		"the filter of the page with or":             {"filter=" + url.QueryEscape(`{"$or":[{"id":{"$ne":"`+firstID+`"}},{}]}`), "(id != " + firstID + " or all)"},
		"an empty list is nobody's":                  {"filter=" + url.QueryEscape(`{"token":{"$in":[]}}`), "digest in "},
		"an empty filter is none":                    {"filter={}", "all"},
		"the filter in the flat form":                {"filter[token]=a&filter[id][$ne]=" + firstID, "(digest = #a and id != " + firstID + ")"},
		"the filter and a flat query must both hold": {"filter={%22token%22:%22a%22}&token[$ne]=b", "(digest = #a and digest != #b)"},
	} {
		q, err := parseQuery(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := filterText(q.where, "a", "b", "a+b c")
		if strings.HasSuffix(c.want, "...") {
			if n := strings.Count(got, " and ") + 1; n != 6 {
				t.Errorf("%s: %d conditions: %s", name, n, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestPagingSortingAndSelecting(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"nothing is the default":      {"", "page {0 10} changes {0 0} order [] select []"},
		"a limit and a start":         {"$limit=5&$skip=2", "page {2 5} changes {2 5} order [] select []"},
		"a limit is capped in a list": {"$limit=500", "page {0 100} changes {0 500} order [] select []"},
		"the order of sorting counts": {"$sort[updatedAt]=-1&$sort[id]=1&%24sort%5BcreatedAt%5D=1", "page {0 10} changes {0 0} order [{updated true} {id false} {issued false}] select []"},
		"members are selected once":   {"$select[]=token&$select[]=token&$select[]=id", "page {0 10} changes {0 0} order [] select [id token]"},
	} {
		q, err := parseQuery(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("page %v changes %v order %v select %v", q.page(), q.changes(), q.order, q.fields); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestQueriesAreBounded(t *testing.T) {
	for name, raw := range map[string]string{
		"many conditions": "filter=" + url.QueryEscape(`{"$or":[`+strings.Repeat(`{"token":"a"},`, 600)+`{}]}`),
		"many levels":     "filter=" + url.QueryEscape(strings.Repeat(`{"$or":[`, 16)+`{}`+strings.Repeat(`]}`, 16)),
	} {
		if _, err := parseQuery(raw); err == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodiesAreWhatTheySay(t *testing.T) {
	d, err := decodePatch([]byte(`{"expiresAt":"2026-01-02T03:04:05.6Z","associateUserId":null,"id":"` + strings.ToUpper(firstID) + `","token":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := d.change()
	if !c.Expires.Equal(time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC)) || c.Associate == nil || *c.Associate != "" || c.Is.ID != firstID || c.Is.Token.Reveal() != "a" {
		t.Errorf("a change of %+v", c)
	}
	d, err = decodePatch([]byte(`{"associateUserId":""}`))
	if c := d.change(); err != nil || c.Associate != nil || !c.Expires.IsZero() {
		t.Errorf("an empty member is %+v, %v", c, err)
	}
	d, err = decodePatch([]byte(`{"associateUserId":"` + aliceID + `"}`))
	if c := d.change(); err != nil || c.Associate == nil || *c.Associate != aliceID {
		t.Errorf("a member is %+v, %v", c, err)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "id=" + firstID, "token[$in][0]=a&token[$in][]=b", "%24or%5B0%5D%5Btoken%5D=a&$or[1][id]=", "filter={}", "$limit=0&$skip=1&$sort[id]=-1&$select[]=id",
		"filter=" + url.QueryEscape(`{"$or":[{"token":{"$nin":["a"]}},{"expiresAt":{"$lt":"2026-01-01T00:00:00Z"}}]}`), "filter[a]=b", "a=1&a[b]=2", "[=", "$select=token", "x", "expiresAt[$gt]=9999-12-31T23:59:59Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			if auth.CodeOf(err) != auth.Malformed || !isEmpty(q.where) || q.order != nil || q.fields != nil || q.limit != 0 || q.skip != 0 {
				t.Fatalf("error %v with %+v", err, q)
			}
			return
		}
		whole := q.session(q.page())
		if err := whole.Check(); err != nil {
			t.Fatalf("%q makes a query that no store takes: %v", raw, err)
		}
		if _, err := whole.Page.Bounds(); err != nil || whole.Page.Limit > maxLimit {
			t.Fatalf("%q asks for the page %+v", raw, whole.Page)
		}
		again, err := parseQuery(raw)
		if err != nil || filterText(again.where) != filterText(q.where) {
			t.Fatalf("%q read twice is %s and %s", raw, filterText(q.where), filterText(again.where))
		}
	})
}

func FuzzDecodeBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `[{},{"token":"a"}]`, `{"id":"` + firstID + `","expiresAt":"2026-01-02T03:04:05Z","associateUserId":null}`,
		`{"id":""}`, `{"id":1}`, `{"x":1}`, `[null]`, `{"createdAt":"2026-01-02 03:04:05z"}`, `{"createdAt":"0000-01-01T00:00:00+23:59"}`, "{\"token\":\"\xff\"}", `{"token":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, many, err := decodeCreate(body)
		if err != nil {
			if auth.CodeOf(err) != auth.Malformed || list != nil || many {
				t.Fatalf("error %v with %v", err, list)
			}
			return
		}
		if !many && len(list) != 1 {
			t.Fatalf("%d records of one object", len(list))
		}
		for _, d := range list {
			for name, text := range d.texts {
				m, ok := memberNamed(name)
				if _, err := readUUID("", text); !ok || text == "" || m.format == uuidFormat && err != nil {
					t.Fatalf("%s is %q", name, text)
				}
			}
			for name, at := range d.dates {
				if _, err := readDate("", date(at)); err != nil {
					t.Fatalf("%s is %v: %v", name, at, err)
				}
			}
		}
		if one, err := decodePatch(body); (err == nil) == many {
			t.Fatalf("as a patch it is %+v, %v", one, err)
		}
	})
}

func FuzzDecodeAuthentication(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"strategy":"jwt","accessToken":"a"}`, `{"strategy":"local","username":"a","password":"b"}`, `{"strategy":"local","email":"a","password":"b","username":null}`,
		`{"strategy":1}`, `{"strategy":"local","username":"a","password":{"$ne":null}}`, `{"strategy":"x"}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeAuthentication(body)
		if err != nil {
			if code := auth.CodeOf(err); code != auth.Malformed && code != auth.NoCredential || in != (credentials{}) {
				t.Fatalf("error %v with %+v", err, in)
			}
			return
		}
		if in.missing() != "" {
			t.Fatalf("it lacks something: %s", in.missing())
		}
	})
}
