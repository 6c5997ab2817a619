package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// What follows is the plain reading of a query, for the stores whose engine has
// no query language.

// Selects reports whether a filter that passed its [SessionQuery.Check] selects
// s, whose times are as a store keeps them.
func (f Filter) Selects(s Session) bool {
	of := func(inner Filter) bool { return inner.Selects(s) }
	switch {
	case f.Field != "":
		return f.compares(s.field(f.Field))
	case len(f.Any) > 0:
		return slices.ContainsFunc(f.Any, of)
	}
	return !slices.ContainsFunc(f.All, func(inner Filter) bool { return !of(inner) })
}

func (f Filter) compares(have any) bool {
	equal := func(v any) bool { return compare(have, v) == 0 }
	switch f.Op {
	case Equal, In:
		return slices.ContainsFunc(f.Values, equal)
	case NotEqual, NotIn:
		return !slices.ContainsFunc(f.Values, equal)
	}
	if IsNull(have) {
		return false
	}
	c := compare(have, f.Values[0])
	switch f.Op {
	case Less:
		return c < 0
	case LessOrEqual:
		return c <= 0
	case Greater:
		return c > 0
	default:
		return c >= 0
	}
}

// compare orders two values of one field; null comes first.
func compare(a, b any) int {
	if IsNull(a) || IsNull(b) {
		return boolean(!IsNull(a)) - boolean(!IsNull(b))
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case Time:
		return a.Compare(Precise(b.(Time)))
	}
	x, y := a.(auth.Digest), b.(auth.Digest)
	return bytes.Compare(x[:], y[:])
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s Session) field(f SessionField) any {
	switch f {
	case FieldID:
		return s.ID
	case FieldDigest:
		return s.Digest
	case FieldDialect:
		return s.Dialect
	case FieldKind:
		return string(s.Kind)
	case FieldSubject:
		return s.Subject
	case FieldIdentity:
		return s.Identity
	case FieldAssociate:
		return s.Associate
	case FieldTenant:
		return s.Tenant
	case FieldFamily:
		return s.Family
	case FieldIssued:
		return s.Issued
	case FieldUpdated:
		return s.Updated
	default:
		return s.Expires
	}
}

// Compare orders two sessions as a query that passed its Check says; rows that
// it leaves equal come in the order of id.
func (q SessionQuery) Compare(a, b Session) int {
	for _, o := range q.Order {
		c := compare(a.field(o.Field), b.field(o.Field))
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.ID, b.ID)
}

// Matches reports whether all members of m that are set are s's. The zero m,
// which revokes nothing, matches everything here.
func (m SessionMatch) Matches(s Session) bool {
	return (m.ID == "" || m.ID == s.ID) &&
		(m.Digest.IsZero() || m.Digest == s.Digest) &&
		(m.Subject == "" || m.Subject == s.Subject) &&
		(m.Family == "" || m.Family == s.Family) &&
		(m.KeyID == 0 || m.KeyID == s.KeyID) &&
		(m.Tenant == "" || m.Tenant == s.Tenant) &&
		(m.Unit == "" || m.Unit == s.Unit) &&
		(m.Dialect == "" || m.Dialect == s.Dialect)
}
