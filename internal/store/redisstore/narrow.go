package redisstore

import (
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// everyRow leads to all rows of the store.
const everyRow = "all"

// maxSources is how many names are looked at for one query.
const maxSources = 1000

// narrow returns names that lead to every row which f selects.
func narrow(realm string, f store.Filter) []string {
	if sources, ok := leadsTo(realm, f); ok {
		return sources
	}
	return []string{everyRow}
}

// leadsTo returns the fewest such names; ok is false where only a look at every
// row tells.
func leadsTo(realm string, f store.Filter) (sources []string, ok bool) {
	switch {
	case f.Field != "":
		return leafLeadsTo(realm, f)
	case len(f.Any) > 0:
		return eachLeadsTo(realm, f.Any)
	}
	for _, inner := range f.All {
		found, narrows := leadsTo(realm, inner)
		if narrows && (!ok || better(found, sources)) {
			sources, ok = found, true
		}
	}
	return sources, ok
}

// better reports whether a leads to fewer rows than b, as far as names tell: one
// token beats an index, and the index of one-time tokens is the widest.
func better(a, b []string) bool {
	if x, y := width(a), width(b); x != y {
		return x < y
	}
	return len(a) < len(b)
}

func width(sources []string) int {
	widest := 0
	for _, source := range sources {
		switch source[0] {
		case rowName, digestName:
		case familyName:
			widest = max(widest, 1)
		case tenantName:
			widest = max(widest, 3)
		case kindName:
			widest = max(widest, 4)
		default:
			widest = max(widest, 2)
		}
	}
	return widest
}

// eachLeadsTo joins what leads to each of the filters.
func eachLeadsTo(realm string, filters []store.Filter) (sources []string, ok bool) {
	for _, f := range filters {
		found, narrows := leadsTo(realm, f)
		if !narrows || len(sources)+len(found) > maxSources {
			return nil, false
		}
		sources = append(sources, found...)
	}
	return sources, true
}

// letters are the fields whose values lead to rows.
var letters = map[store.SessionField]byte{
	store.FieldID:       rowName,
	store.FieldDigest:   digestName,
	store.FieldSubject:  subjectName,
	store.FieldFamily:   familyName,
	store.FieldTenant:   tenantName,
	store.FieldIdentity: identityName,
	store.FieldKind:     kindName,
}

func leafLeadsTo(realm string, f store.Filter) (sources []string, ok bool) {
	letter, known := letters[f.Field]
	if !known || f.Op != store.Equal && f.Op != store.In || len(f.Values) > maxSources {
		return nil, false
	}
	for _, value := range f.Values {
		if store.IsNull(value) || letter == kindName && value != string(store.OneTimeToken) {
			return nil, false // nothing leads to what is not there
		}
		switch v := value.(type) {
		case string:
			sources = append(sources, name(letter, realm, v))
		case auth.Digest:
			sources = append(sources, digestOf(realm, v))
		}
	}
	return sources, true
}
