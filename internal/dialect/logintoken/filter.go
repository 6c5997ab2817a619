package logintoken

import (
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// operators are the comparisons of Feathers.
var operators = map[string]session.Op{
	"$ne": session.NotEqual, "$in": session.In, "$nin": session.NotIn,
	"$lt": session.Less, "$lte": session.LessOrEqual, "$gt": session.Greater, "$gte": session.GreaterOrEqual,
}

// readWhere reads an object of conditions, all of which must hold. at is its
// place, for errors.
func readWhere(n *node, at string) (session.Filter, error) {
	if n.kind != branch || n.isArray() {
		return session.Filter{}, wrongType(at, "object")
	}
	var q query
	for _, key := range n.keys {
		f, err := readCondition(key, n.children[key], at)
		if err != nil {
			return session.Filter{}, err
		}
		q.add(f)
	}
	return q.where, nil
}

// readCondition reads one member of an object of conditions.
func readCondition(key string, n *node, at string) (session.Filter, error) {
	switch key {
	case "$or", "$and":
		list, err := readList(n, at+"/"+key)
		if key == "$or" {
			return session.Filter{Any: list}, err
		}
		return session.Filter{All: list}, err
	}
	m, ok := memberNamed(key)
	if !ok {
		return session.Filter{}, additional(at, key)
	}
	return readMember(m, n, at+"/"+m.name)
}

// readList reads what $or and $and join: at least one object of conditions.
func readList(n *node, at string) ([]session.Filter, error) {
	if !n.isArray() || len(n.keys) == 0 {
		return nil, wrongType(at, "array")
	}
	list := make([]session.Filter, len(n.keys))
	for i, item := range n.elements() {
		f, err := readWhere(item, at+"/"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		list[i] = f
	}
	return list, nil
}

// readMember reads what a member is compared with: a value, or operators of
// which all must hold.
func readMember(m member, n *node, at string) (session.Filter, error) {
	if n.kind != branch {
		return readComparison(m, session.Equal, n, at)
	}
	if n.isArray() || len(n.keys) == 0 {
		return session.Filter{}, wrongType(at, "string")
	}
	var q query
	for _, key := range n.keys {
		op, ok := operators[key]
		if !ok {
			return session.Filter{}, additional(at, key)
		}
		f, err := readComparison(m, op, n.children[key], at+"/"+key)
		if err != nil {
			return session.Filter{}, err
		}
		q.add(f)
	}
	return q.where, nil
}

func readComparison(m member, op session.Op, n *node, at string) (session.Filter, error) {
	f := session.Filter{Field: m.field, Op: op, Values: []any{}}
	list := []*node{n}
	if (op == session.In || op == session.NotIn) && n.isArray() {
		list = n.elements()
	}
	for _, n := range list {
		v, err := readValue(m, n, at)
		if err != nil {
			return session.Filter{}, err
		}
		f.Values = append(f.Values, v)
	}
	return f, checkOrder(m, f)
}

// checkOrder refuses what has no order: a token, which is found by its digest
// alone, and nothing.
func checkOrder(m member, f session.Filter) error {
	switch f.Op {
	case session.Equal, session.NotEqual, session.In, session.NotIn:
		return nil
	}
	if m.field == session.FieldDigest {
		return badQuery("A token can only be compared for equality")
	}
	if f.Values[0] == nil {
		return badQuery(shown(m.name + " cannot be compared with nothing"))
	}
	return nil
}

// readValue reads one value. An empty one is null, which is how Feathers
// clients write null.
func readValue(m member, n *node, at string) (any, error) {
	if n.kind == null || n.kind == textual && n.text == "" {
		return nil, nil
	}
	if n.kind != textual {
		return nil, wrongType(at, "string")
	}
	switch {
	case m.field == session.FieldDigest:
		return auth.DigestOf(n.text), nil
	case m.format == dateFormat:
		return readDate(at, n.text)
	}
	return readUUID(at, n.text)
}
