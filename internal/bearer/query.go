package bearer

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// readQuery returns the value of the parameter. The query is read here and not
// by [url.ParseQuery], which drops what it cannot read and would so hide a
// second value: parameters are separated by & alone, a name that does not
// decode is nobody's, and our own value must decode.
func (s *Spec) readQuery(r *http.Request) (string, error) {
	raw, found := "", false
	for rest := r.URL.RawQuery; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(part, "=")
		if !sameName(name, s.Name, s.FoldName) {
			continue
		}
		if found {
			return "", malformed(auth.ReasonDuplicate)
		}
		raw, found = value, true
	}
	text, err := url.QueryUnescape(raw)
	if err != nil { // its text would quote a part of the secret
		return "", malformed(auth.ReasonForm)
	}
	return text, nil
}

// sameName reports whether a name decodes to want, without a copy of it.
func sameName(raw, want string, fold bool) bool {
	n := 0
	for i := 0; i < len(raw); n++ {
		c, width := decodeByte(raw[i:])
		if width == 0 || n == len(want) || !sameByte(c, want[n], fold) {
			return false
		}
		i += width
	}
	return n == len(want)
}

// decodeByte returns the first byte of form-encoded text and how much of the
// text it takes, 0 for a broken escape.
func decodeByte(raw string) (c byte, width int) {
	if raw[0] == '+' {
		return ' ', 1
	}
	if raw[0] != '%' {
		return raw[0], 1
	}
	if len(raw) < 3 {
		return 0, 0
	}
	high, ok1 := unhex(raw[1])
	low, ok2 := unhex(raw[2])
	if !ok1 || !ok2 {
		return 0, 0
	}
	return high<<4 | low, 3
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= lower(c) && lower(c) <= 'f':
		return lower(c) - 'a' + 10, true
	}
	return 0, false
}

func sameByte(a, b byte, fold bool) bool { return a == b || fold && lower(a) == lower(b) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// withoutParameter returns the query without every parameter of that name, the
// others byte for byte as they were.
func (s *Spec) withoutParameter(query string) string {
	if !s.inQuery(query) {
		return query
	}
	kept := make([]string, 0, 1+strings.Count(query, "&"))
	for part := range strings.SplitSeq(query, "&") {
		if !s.isParameter(part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

func (s *Spec) inQuery(query string) bool {
	for rest := query; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if s.isParameter(part) {
			return true
		}
	}
	return false
}

func (s *Spec) isParameter(part string) bool {
	name, _, _ := strings.Cut(part, "=")
	return sameName(name, s.Name, s.FoldName)
}
