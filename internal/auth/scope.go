package auth

import (
	"slices"
	"strings"
)

// Scope is a set of scope tokens (RFC 6749 section 3.3).
type Scope []string

// Has reports whether one of these names is in the set.
func (s Scope) Has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s, n) })
}

// String joins the tokens with spaces, as OAuth does.
func (s Scope) String() string { return strings.Join(s, " ") }

// ValidName reports whether name can be the name of a role or scope: the
// characters of a scope-token (RFC 6749 section 3.3) without the comma, since
// upstreams are given lists joined by commas, and without `*`, which reads as
// a pattern elsewhere.
func ValidName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == ',' || c == '*' {
			return false
		}
	}
	return true
}
