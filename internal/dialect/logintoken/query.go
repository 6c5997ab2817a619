package logintoken

import (
	"slices"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The figures of paging.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// query is what a request asks for.
type query struct {
	where session.Filter
	order []session.Order
	// limit is -1 where none is asked for.
	limit, skip int
	// fields are the members to answer with; nil is all.
	fields []string
}

// parseQuery reads the query of a call: the flat form of Feathers and the
// page's `filter`, which both have to hold.
func parseQuery(raw string) (query, error) {
	root, err := parseFlat(raw)
	if err != nil {
		return query{}, err
	}
	q := query{limit: -1}
	for _, key := range root.keys {
		if err := q.read(key, root.children[key]); err != nil {
			return query{}, err
		}
	}
	if err := q.session(session.Page{}).Check(); err != nil {
		return query{}, badQuery("The query asks for too much")
	}
	return q, nil
}

// read reads one parameter.
func (q *query) read(key string, n *node) (err error) {
	switch key {
	case "$limit":
		q.limit, err = readCount(n, "/$limit")
	case "$skip":
		q.skip, err = readCount(n, "/$skip")
	case "$sort":
		q.order, err = readSort(n)
	case "$select":
		q.fields, err = readSelect(n)
	case "filter":
		err = q.readFilter(n)
	default:
		var f session.Filter
		f, err = readCondition(key, n, "")
		q.add(f)
	}
	return err
}

// add narrows the query.
func (q *query) add(f session.Filter) {
	if isEmpty(f) {
		return
	}
	if isEmpty(q.where) {
		q.where = f
		return
	}
	q.where = session.Filter{All: []session.Filter{q.where, f}}
}

func isEmpty(f session.Filter) bool { return f.Op == "" && len(f.All) == 0 && len(f.Any) == 0 }

// readFilter reads `filter={json}`, and `filter[member]=…` as its flat form.
func (q *query) readFilter(n *node) (err error) {
	if n.kind == textual {
		if n, err = parseJSON(n.text); err != nil {
			return err
		}
	}
	f, err := readWhere(n, "/filter")
	q.add(f)
	return err
}

// session returns the query for the service.
func (q query) session(page session.Page) session.Query {
	return session.Query{Where: q.where, Order: q.order, Page: page}
}

// page returns the part of a list to show.
func (q query) page() session.Page {
	p := session.Page{Offset: q.skip, Limit: q.limit}
	if q.limit < 0 {
		p.Limit = defaultLimit
	}
	p.Limit = min(p.Limit, maxLimit)
	return p
}

// changes returns the part of a list to change: all where nothing is said.
func (q query) changes() session.Page {
	return session.Page{Offset: q.skip, Limit: max(q.limit, 0)}
}

// readCount reads a number that is not negative.
func readCount(n *node, at string) (int, error) {
	if n.kind != textual {
		return 0, wrongType(at, "number")
	}
	i, err := strconv.ParseInt(n.text, 10, 32)
	if err != nil {
		return 0, wrongType(at, "number")
	}
	if i < 0 {
		return 0, negative(at)
	}
	return int(i), nil
}

// readSort reads `$sort[member]=1` or -1; the first member counts most.
func readSort(n *node) ([]session.Order, error) {
	if n.kind != branch {
		return nil, wrongType("/$sort", "object")
	}
	var order []session.Order
	for _, key := range n.keys {
		m, ok := memberNamed(key)
		if !ok {
			return nil, additional("/$sort", key)
		}
		direction := n.children[key]
		if direction.kind != textual || direction.text != "1" && direction.text != "-1" {
			return nil, notAmong("/$sort/"+m.name, []int{1, -1})
		}
		if m.field == session.FieldDigest {
			return nil, badQuery("The records cannot be sorted by their token")
		}
		order = append(order, session.Order{Field: m.field, Descending: direction.text == "-1"})
	}
	return order, nil
}

// readSelect reads `$select[]=member`, in which the id is always meant.
func readSelect(n *node) ([]string, error) {
	list := []*node{n}
	if n.isArray() {
		list = n.elements()
	}
	fields := []string{"id"}
	for i, n := range list {
		m, ok := memberNamed(n.text)
		if n.kind != textual || !ok {
			return nil, notAmong("/$select/"+strconv.Itoa(i), memberNames())
		}
		if !slices.Contains(fields, m.name) {
			fields = append(fields, m.name)
		}
	}
	return fields, nil
}
