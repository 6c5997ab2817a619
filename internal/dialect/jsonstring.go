package dialect

import (
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string, s.pos at its first quote. The input is valid UTF-8.
func (s *scanner) string() (string, error) {
	s.pos++
	start := s.pos
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; {
		case c == '"':
			s.pos++
			return string(s.in[start : s.pos-1]), nil
		case c == '\\':
			return s.escaped(append([]byte(nil), s.in[start:s.pos]...))
		case c < 0x20:
			return "", s.fail("a control character in a string")
		}
		s.pos++
	}
	return "", s.fail("a string without an end")
}

// escaped reads the rest of a string behind text, from its first backslash.
func (s *scanner) escaped(text []byte) (string, error) {
	for s.pos < len(s.in) {
		c := s.in[s.pos]
		if c < 0x20 {
			return "", s.fail("a control character in a string")
		}
		s.pos++
		if c == '"' {
			return string(text), nil
		}
		if c != '\\' {
			text = append(text, c)
			continue
		}
		r, err := s.escape()
		if err != nil {
			return "", err
		}
		text = utf8.AppendRune(text, r)
	}
	return "", s.fail("a string without an end")
}

var shortEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads what follows a backslash.
func (s *scanner) escape() (rune, error) {
	if s.take('u') {
		return s.unicode()
	}
	r, ok := shortEscapes[s.peek()]
	if !ok {
		return 0, s.fail("an unknown escape")
	}
	s.pos++
	return r, nil
}

// unicode reads what follows `\u`. A surrogate alone is refused: mended to
// U+FFFD, two different passwords would become one.
func (s *scanner) unicode() (rune, error) {
	r, ok := s.hex()
	if !ok {
		return 0, s.fail("four hex digits are wanted")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if !s.take('\\') || !s.take('u') {
		return 0, s.fail("a lone surrogate")
	}
	low, ok := s.hex()
	if !ok {
		return 0, s.fail("four hex digits are wanted")
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.fail("a lone surrogate")
	}
	return r, nil
}

// hex reads four hex digits.
func (s *scanner) hex() (rune, bool) {
	var r rune
	for range 4 {
		d, ok := hexDigit(s.peek())
		if !ok {
			return 0, false
		}
		r = r<<4 | d
		s.pos++
	}
	return r, true
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case isDigit(c):
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
