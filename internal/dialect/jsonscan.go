package dialect

import (
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// scanner reads one JSON document. encoding/json is not used because it lets
// the last of two equal members win, mends invalid UTF-8 and folds names by
// Unicode, and none of that can be switched off.
type scanner struct {
	in     []byte
	pos    int
	depth  int
	values int
	names  Names
}

func (s *scanner) document() (value, error) {
	if !utf8.Valid(s.in) {
		return value{}, s.fail("invalid UTF-8")
	}
	s.space()
	v, err := s.value()
	if err != nil {
		return value{}, err
	}
	s.space()
	if s.pos != len(s.in) {
		return value{}, s.fail("more after the end")
	}
	return v, nil
}

func (s *scanner) value() (value, error) {
	if s.values++; s.values > maxValues {
		return value{}, s.fail("too many values")
	}
	switch c := s.peek(); {
	case c == '{':
		return s.nested(s.object)
	case c == '[':
		return s.nested(s.array)
	case c == '"':
		text, err := s.string()
		return value{kind: stringValue, text: text}, err
	case c == '-' || isDigit(c):
		return s.number()
	}
	return s.literal()
}

// nested reads an object or array one level deeper. s.pos is at its bracket.
func (s *scanner) nested(read func() (value, error)) (value, error) {
	if s.depth++; s.depth > maxDepth {
		return value{}, s.fail("too deep")
	}
	s.pos++
	s.space()
	v, err := read()
	s.depth--
	return v, err
}

func (s *scanner) object() (value, error) {
	v := value{kind: objectValue, members: map[string]value{}}
	if s.take('}') {
		return v, nil
	}
	for {
		if err := s.member(v.members); err != nil {
			return value{}, err
		}
		if s.take('}') {
			return v, nil
		}
		if !s.take(',') {
			return value{}, s.fail("a comma or brace is wanted")
		}
		s.space()
	}
}

// member reads a name and its value, and the space behind.
func (s *scanner) member(into map[string]value) error {
	start := s.pos
	if s.peek() != '"' {
		return s.fail("a member name is wanted")
	}
	name, err := s.string()
	if err != nil {
		return err
	}
	key := s.names.key(name)
	if _, twice := into[key]; twice {
		return s.duplicate(start)
	}
	s.space()
	if !s.take(':') {
		return s.fail("a colon is wanted")
	}
	s.space()
	v, err := s.value()
	if err != nil {
		return err
	}
	into[key] = v
	s.space()
	return nil
}

func (s *scanner) array() (value, error) {
	v := value{kind: arrayValue}
	if s.take(']') {
		return v, nil
	}
	for {
		item, err := s.value()
		if err != nil {
			return value{}, err
		}
		v.items = append(v.items, item)
		s.space()
		if s.take(']') {
			return v, nil
		}
		if !s.take(',') {
			return value{}, s.fail("a comma or bracket is wanted")
		}
		s.space()
	}
}

var literals = []struct {
	text string
	kind valueKind
}{{"null", nullValue}, {"false", falseValue}, {"true", trueValue}}

func (s *scanner) literal() (value, error) {
	for _, l := range literals {
		if end := s.pos + len(l.text); end <= len(s.in) && string(s.in[s.pos:end]) == l.text {
			s.pos = end
			return value{kind: l.kind}, nil
		}
	}
	return value{}, s.fail("a value is wanted")
}

// number reads `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
func (s *scanner) number() (value, error) {
	start := s.pos
	s.take('-')
	whole := s.take('0') || s.digits()
	if whole && s.take('.') {
		whole = s.digits()
	}
	if whole && (s.take('e') || s.take('E')) {
		_ = s.take('+') || s.take('-')
		whole = s.digits()
	}
	if !whole {
		return value{}, s.fail("a digit is wanted")
	}
	return value{kind: numberValue, text: string(s.in[start:s.pos])}, nil
}

// digits passes over digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

// peek returns the byte at s.pos, 0 at the end: no token starts with it.
func (s *scanner) peek() byte {
	if s.pos == len(s.in) {
		return 0
	}
	return s.in[s.pos]
}

// take passes over c if it is next. At the end nothing is.
func (s *scanner) take(c byte) bool {
	if s.pos == len(s.in) || s.in[s.pos] != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) space() {
	for s.take(' ') || s.take('\n') || s.take('\r') || s.take('\t') {
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) at(offset int, problem string) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, &SyntaxError{offset, problem})
}

func (s *scanner) fail(problem string) error { return s.at(s.pos, problem) }

func (s *scanner) duplicate(offset int) error {
	return auth.Fail(auth.Malformed, auth.ReasonDuplicate, &SyntaxError{offset, "a member twice"})
}
