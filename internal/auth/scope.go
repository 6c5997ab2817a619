package auth

import (
	"fmt"
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

// The bounds of a list of roles or of scopes: those of an account, of an account
// in a tenant, of a key. An upstream is told them in a header field each, whose
// line has 8 KiB at most with many servers, and all three together in one JWT of
// as much: more would have every request of that caller refused on the way.
const (
	MaxNames = 64
	// MaxNamesLength is in bytes, as the names stand joined by commas.
	MaxNamesLength = 1536
	// maxNameLength is that of one.
	maxNameLength = 128
)

// CheckCount refuses a list of names that is longer than anybody can be told.
// The error is for people and says nothing of the names.
func CheckCount(names []string) error {
	if len(names) > MaxNames {
		return fmt.Errorf("there are %d, and can be %d", len(names), MaxNames)
	}
	length := 0
	for _, n := range names {
		length += len(n) + 1
	}
	if length-1 > MaxNamesLength {
		return fmt.Errorf("together they have %d bytes, and can have %d", length-1, MaxNamesLength)
	}
	return nil
}

// ValidName reports whether name can be the name of a role or scope: the
// characters of a scope-token (RFC 6749 section 3.3) without the comma, since
// upstreams are given lists joined by commas, and without `*`, which reads as
// a pattern elsewhere.
func ValidName(name string) bool {
	if name == "" || len(name) > maxNameLength {
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
