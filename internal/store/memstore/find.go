package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) FindSessions(ctx context.Context, realm string, q store.SessionQuery) (rows []store.Session, total int, err error) {
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	err = m.locked(ctx, func() error {
		for _, s := range m.realm(realm).sessions {
			if !m.past(s.Keep) && selects(q.Where, s) {
				rows = append(rows, copySession(s))
			}
		}
		total = len(rows)
		slices.SortFunc(rows, byOrder(q.Order))
		rows, err = cut(rows, q.Page)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return rows, total, nil
}

// selects reports whether a filter that passed its Check selects s.
func selects(f store.Filter, s store.Session) bool {
	of := func(inner store.Filter) bool { return selects(inner, s) }
	switch {
	case f.Field != "":
		return compares(f, field(s, f.Field))
	case len(f.Any) > 0:
		return slices.ContainsFunc(f.Any, of)
	}
	return !slices.ContainsFunc(f.All, func(inner store.Filter) bool { return !of(inner) })
}

func compares(f store.Filter, have any) bool {
	equal := func(v any) bool { return compare(have, v) == 0 }
	switch f.Op {
	case store.Equal, store.In:
		return slices.ContainsFunc(f.Values, equal)
	case store.NotEqual, store.NotIn:
		return !slices.ContainsFunc(f.Values, equal)
	}
	if store.IsNull(have) {
		return false
	}
	c := compare(have, f.Values[0])
	switch f.Op {
	case store.Less:
		return c < 0
	case store.LessOrEqual:
		return c <= 0
	case store.Greater:
		return c > 0
	default:
		return c >= 0
	}
}

// compare orders two values of one field; null comes first.
func compare(a, b any) int {
	if store.IsNull(a) || store.IsNull(b) {
		return boolean(!store.IsNull(a)) - boolean(!store.IsNull(b))
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case store.Time:
		return a.Compare(store.Precise(b.(store.Time)))
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

func field(s store.Session, f store.SessionField) any {
	switch f {
	case store.FieldID:
		return s.ID
	case store.FieldDigest:
		return s.Digest
	case store.FieldDialect:
		return s.Dialect
	case store.FieldKind:
		return string(s.Kind)
	case store.FieldSubject:
		return s.Subject
	case store.FieldIdentity:
		return s.Identity
	case store.FieldAssociate:
		return s.Associate
	case store.FieldTenant:
		return s.Tenant
	case store.FieldFamily:
		return s.Family
	case store.FieldIssued:
		return s.Issued
	case store.FieldUpdated:
		return s.Updated
	default:
		return s.Expires
	}
}

// byOrder sorts as a query says, and rows that it leaves equal by id.
func byOrder(order []store.Order) func(a, b store.Session) int {
	return func(a, b store.Session) int {
		for _, o := range order {
			c := compare(field(a, o.Field), field(b, o.Field))
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return byID(a, b)
	}
}

func byID(a, b store.Session) int { return cmp.Compare(a.ID, b.ID) }
