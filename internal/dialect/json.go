package dialect

import (
	"bytes"
	"fmt"
	"strings"
)

// The bounds of a JSON body beside its size. They stop a small body from
// costing much more than its bytes.
const (
	maxDepth  = 32
	maxValues = 10_000
)

// Names says how the member names of an object are compared.
type Names bool

const (
	// ExactNames compares byte by byte.
	ExactNames Names = false
	// FoldNames compares without regard to the case of ASCII letters, and of
	// no others: `ſ` is not `s` here, which it is for encoding/json.
	FoldNames Names = true
)

func (n Names) key(name string) string {
	if n == ExactNames {
		return name
	}
	return LowerASCII(name)
}

// SyntaxError says where and why a body is not the JSON that is wanted. Its
// text holds nothing of the body, so that it can be shown.
type SyntaxError struct {
	// Offset counts bytes from the start of the body.
	Offset  int
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("json at byte %d: %s", e.Offset, e.Problem)
}

// ParseObject reads body as exactly one JSON object (RFC 8259). It refuses
// what parsers are known to read in different ways: a member twice, in
// whatever spelling names allows or escaped; invalid UTF-8 and lone
// surrogates; a byte order mark; anything behind the object. Depth and number
// of values are bounded. A member that is null counts as absent.
//
// An error is [auth.Malformed] with a [*SyntaxError] inside, its reason
// [auth.ReasonDuplicate] for a member twice and [auth.ReasonForm] else.
func ParseObject(body []byte, names Names) (Object, error) {
	s := &scanner{in: body, names: names}
	v, err := s.document()
	if err != nil {
		return Object{}, err
	}
	if v.kind != objectValue {
		return Object{}, s.at(0, "an object is wanted")
	}
	return Object{members: v.members, names: names, bad: new(FieldErrors)}, nil
}

// Blank reports whether a body holds nothing but JSON white space.
func Blank(body []byte) bool {
	return len(bytes.Trim(body, " \t\r\n")) == 0
}

// value is any JSON value. A number keeps its literal.
type value struct {
	kind    valueKind
	text    string
	items   []value
	members map[string]value
}

type valueKind uint8

const (
	nullValue valueKind = iota
	falseValue
	trueValue
	numberValue
	stringValue
	arrayValue
	objectValue
)

// LowerASCII lowers the ASCII letters of s and leaves all else: the Kelvin sign
// does not become a k, as it does for strings.ToLower.
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
