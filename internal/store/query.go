package store

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Bounds of a query, so that no client's query is more than an engine takes.
const (
	MaxFilterNodes  = 500
	MaxFilterDepth  = 16
	MaxFilterValues = 10000
)

// Bounds returns the page with Limit between 1 and [MaxPage];
// [auth.Malformed] where a member is negative.
func (p Page) Bounds() (Page, error) {
	if p.Offset < 0 || p.Limit < 0 {
		return Page{}, malformed()
	}
	if p.Limit == 0 || p.Limit > MaxPage {
		p.Limit = MaxPage
	}
	return p, nil
}

// Check returns [auth.Malformed] for a query that no store answers: unknown
// fields or comparisons, values that the field cannot have, a node that is two
// things at once, a digest that is ordered, or more than the bounds above.
func (q SessionQuery) Check() error {
	for _, o := range q.Order {
		if kindOf(o.Field) == 0 || kindOf(o.Field) == digestField {
			return malformed()
		}
	}
	var n filterSize
	return n.check(q.Where, 1)
}

// filterSize counts what a filter is made of.
type filterSize struct{ nodes, values int }

func (n *filterSize) check(f Filter, depth int) error {
	n.nodes++
	n.values += len(f.Values)
	if n.nodes > MaxFilterNodes || n.values > MaxFilterValues || depth > MaxFilterDepth {
		return auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	leaf := f.Field != "" || f.Op != "" || len(f.Values) > 0
	if leaf {
		if len(f.All) > 0 || len(f.Any) > 0 {
			return malformed()
		}
		return f.checkLeaf()
	}
	if len(f.All) > 0 && len(f.Any) > 0 {
		return malformed()
	}
	for _, inner := range slices.Concat(f.All, f.Any) {
		if err := n.check(inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f Filter) checkLeaf() error {
	kind := kindOf(f.Field)
	ordered := false
	switch f.Op {
	case In, NotIn:
	case Equal, NotEqual:
		if len(f.Values) != 1 {
			return malformed()
		}
	case Less, LessOrEqual, Greater, GreaterOrEqual:
		if len(f.Values) != 1 || kind == digestField {
			return malformed()
		}
		ordered = true
	default:
		return malformed()
	}
	for _, v := range f.Values {
		if !kind.takes(v) || ordered && IsNull(v) {
			return malformed()
		}
	}
	return nil
}

// IsNull reports whether a value of a [Filter] is null: nil, an empty string,
// a zero time or a zero digest.
func IsNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case Time:
		return v.IsZero()
	case auth.Digest:
		return v.IsZero()
	}
	return false
}

// fieldKind is the type of a field's values; 0 is no field.
type fieldKind int

const (
	stringField fieldKind = iota + 1
	timeField
	digestField
)

func kindOf(f SessionField) fieldKind {
	switch f {
	case FieldDigest:
		return digestField
	case FieldIssued, FieldUpdated, FieldExpires:
		return timeField
	case FieldID, FieldDialect, FieldKind, FieldSubject, FieldIdentity, FieldAssociate, FieldTenant, FieldFamily:
		return stringField
	}
	return 0
}

func (k fieldKind) takes(v any) bool {
	switch v.(type) {
	case nil:
		return k != 0
	case string:
		return k == stringField
	case Time:
		return k == timeField
	case auth.Digest:
		return k == digestField
	}
	return false
}
