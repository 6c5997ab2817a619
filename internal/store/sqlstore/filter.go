package sqlstore

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// condition is a filter on its way into SQL. Its text is made of what stands
// in this file only; what a caller gave is bound. The query has passed its
// Check.
type condition struct {
	text   strings.Builder
	values []any
}

// column is where a field is stored.
type column struct {
	name string
	// null is what stands there for nothing: an empty text, the zero time.
	null any
	// sparse is a column whose index covers what is there only.
	sparse bool
	// unique is a column whose index leads to one row.
	unique bool
	// indexed is the one value that an index covers, "" for none. It stands
	// in the query as it is: a constant without a quote.
	indexed string
}

var (
	noTime   = millis(store.Time{})
	noDigest = make([]byte, len(auth.Digest{}))

	sessionFields = map[store.SessionField]column{
		store.FieldID:        {name: "id", null: "", unique: true},
		store.FieldDigest:    {name: "digest", null: noDigest, unique: true},
		store.FieldDialect:   {name: "dialect", null: ""},
		store.FieldKind:      {name: "kind", null: "", indexed: string(store.OneTimeToken)},
		store.FieldSubject:   {name: "subject", null: "", sparse: true},
		store.FieldIdentity:  {name: "identity", null: "", sparse: true},
		store.FieldAssociate: {name: "associate", null: ""},
		store.FieldTenant:    {name: "tenant", null: "", sparse: true},
		store.FieldFamily:    {name: "family", null: "", sparse: true},
		store.FieldIssued:    {name: "issued", null: noTime},
		store.FieldUpdated:   {name: "updated", null: noTime},
		store.FieldExpires:   {name: "expires", null: noTime},
	}
)

// add appends a filter; the zero filter selects everything.
func (c *condition) add(f store.Filter) {
	switch {
	case f.Field != "":
		c.compare(f)
	case len(f.Any) > 0:
		c.join(f.Any, " OR ")
	case len(f.All) > 0:
		c.join(f.All, " AND ")
	default:
		c.text.WriteString("1 = 1")
	}
}

// join appends filters in parentheses.
func (c *condition) join(filters []store.Filter, word string) {
	between := "("
	for _, f := range filters {
		c.text.WriteString(between)
		c.add(f)
		between = word
	}
	c.text.WriteString(")")
}

// compare appends a leaf.
func (c *condition) compare(f store.Filter) {
	col := sessionFields[f.Field]
	values := make([]any, len(f.Values))
	for i, v := range f.Values {
		values[i] = col.encode(v)
	}
	c.values = append(c.values, values...)
	switch f.Op {
	case store.In:
		c.among(col.name+" IN (", "1 = 0", len(values))
	case store.NotIn:
		c.among(col.name+" NOT IN (", "1 = 1", len(values))
	case store.NotEqual:
		c.text.WriteString(col.name + " <> ?")
	case store.Equal:
		c.text.WriteString(col.equal(values[0]))
	default:
		c.ordered(col, f.Op)
	}
}

// among appends a list of n values; empty is what a list of none means.
func (c *condition) among(opening, empty string, n int) {
	if n == 0 {
		c.text.WriteString(empty)
		return
	}
	c.text.WriteString(opening + "?" + strings.Repeat(", ?", n-1) + ")")
}

// equal is the comparison with a value. Where an index covers what is there
// only, or one value, the query has to say that it looks for nothing else.
func (col column) equal(value any) string {
	if col.sparse && value != "" {
		return "(" + col.name + " <> '' AND " + col.name + " = ?)"
	}
	if col.indexed != "" && value == col.indexed {
		return "(" + col.name + " = '" + col.indexed + "' AND " + col.name + " = ?)"
	}
	return col.name + " = ?"
}

// ordered appends <, <=, > or >=, none of which selects what is not there.
func (c *condition) ordered(col column, op store.Op) {
	c.text.WriteString("(" + col.name + " " + string(op) + " ? AND " + col.name + " <> ?)")
	c.values = append(c.values, col.null)
}

// encode returns a value as it is stored.
func (col column) encode(v any) any {
	switch v := v.(type) {
	case store.Time:
		return millis(v)
	case auth.Digest:
		return v[:]
	case nil:
		return col.null
	}
	return v
}

// narrow reports whether f selects no more than one value of a column does
// whose index leads to few rows.
func narrow(f store.Filter) bool {
	if f.Op != store.Equal {
		return slices.ContainsFunc(f.All, narrow)
	}
	col := sessionFields[f.Field]
	return col.unique || col.sparse && !store.IsNull(f.Values[0]) || col.indexed != "" && f.Values[0] == col.indexed
}

// orderBy returns the order that a query asks for; rows that are equal in it
// come in the order of id. A field that stands there again adds nothing.
//
// Where the filter is narrow, id stands there so that no index has it in
// order: a planner that saves itself the sorting of a few rows by reading all
// of a realm in that order has saved nothing.
func orderBy(order []store.Order, narrow bool) string {
	id := "id"
	if narrow {
		id = "id || ''"
	}
	var text strings.Builder
	seen := make(map[store.SessionField]bool)
	for _, o := range order {
		if seen[o.Field] {
			continue
		}
		seen[o.Field] = true
		name := sessionFields[o.Field].name
		if o.Field == store.FieldID {
			name = id
		}
		text.WriteString(name)
		if o.Descending {
			text.WriteString(" DESC")
		}
		text.WriteString(", ")
	}
	if seen[store.FieldID] {
		return strings.TrimSuffix(text.String(), ", ")
	}
	return text.String() + id
}
