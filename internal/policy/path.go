package policy

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// ReadPath returns the path of a request as its upstream will see it, decoded
// once. target is the request target as it came (RequestURI; "" to leave it
// out of account), u what the server and earlier handlers made of it.
//
// [auth.Malformed] with [auth.ReasonPath] where it can be read in two ways:
// an encoded slash, a backslash, a dot segment or one of dots and spaces only,
// an empty segment, `;`, `#`, `?`, an encoded percent that would decode again,
// a control character, invalid UTF-8 (overlong forms are), encoded or not; a
// decoded path and a raw one that disagree; an absolute target with another
// path; a query with a space, which HTTP/2 lets through and which ends the
// target for an upstream that speaks HTTP/1. A trailing slash stays. An empty path is "/", as it is forwarded, and
// the `*` of OPTIONS is "*".
//
// A path without escapes costs no allocation.
func ReadPath(target string, u *url.URL) (string, error) {
	path := u.Path
	switch {
	case !sameRequest(target, u):
		return "", twoWays()
	case u.RawPath != "" && !decodesTo(u.RawPath, path):
		return "", twoWays()
	case path == "":
		return "/", nil
	case path == "*":
		return path, nil
	case !plain(path):
		return "", twoWays()
	}
	return path, nil
}

// sameRequest reports whether the parts of a URL beside its path, and the
// target that it came of, leave the path as it stands.
func sameRequest(target string, u *url.URL) bool {
	switch {
	case u.Opaque != "" || u.Fragment != "" || u.RawFragment != "":
		return false
	case target != "" && target[0] != '/' && target != "*" && !sameTarget(target, u):
		return false
	}
	return strings.IndexByte(u.RawQuery, ' ') < 0
}

func twoWays() error { return auth.Fail(auth.Malformed, auth.ReasonPath, nil) }

// sameTarget reports whether the path of an absolute target (RFC 9112 section
// 3.2.2) is the one that will be forwarded.
func sameTarget(target string, u *url.URL) bool {
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return false // the authority form, or a scheme with no authority
	}
	path := ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		path, _, _ = strings.Cut(rest[at:], "?")
	}
	return path == u.EscapedPath()
}

// decodesTo reports whether a raw path and a decoded one are the same, and the
// raw one hides no slash. They disagree where a handler changed one of them.
func decodesTo(raw, path string) bool {
	decoded, err := url.PathUnescape(raw)
	return err == nil && decoded == path && strings.Count(raw, "/") == strings.Count(path, "/")
}

// plain reports whether a decoded path reads in one way.
func plain(path string) bool {
	if path[0] != '/' {
		return false
	}
	ascii := true
	start, solid := 1, false // of the segment: where it begins, whether it is more than dots and spaces
	for i := 1; i < len(path); i++ {
		switch c := path[i]; classes[c] {
		case ordinary:
			solid = true
		case slash:
			if !solid {
				return false
			}
			start, solid = i+1, false
		case foreign:
			ascii, solid = false, true
		case percent:
			if decodesAgain(path[i+1:]) {
				return false
			}
			solid = true
		case splitting:
			return false
		}
	}
	return (solid || start == len(path)) && (ascii || printable(path))
}

// class is what a byte does to a path.
type class uint8

const (
	ordinary  class = iota
	slash           // ends a segment
	hollow          // a dot or a space: no segment is made of them alone
	percent         // may decode again
	foreign         // part of a longer rune
	splitting       // some reader splits, ends or turns the path there
)

var classes = func() (table [256]class) {
	for c := range table {
		if c < 0x20 || c == 0x7f {
			table[c] = splitting
		} else if c >= utf8.RuneSelf {
			table[c] = foreign
		}
	}
	for _, c := range []byte(`\;#?`) {
		table[c] = splitting
	}
	table['/'], table['.'], table[' '], table['%'] = slash, hollow, hollow, percent
	return table
}()

// decodesAgain reports whether what follows a percent would make it an escape:
// two hex digits, or u and four of them as some servers still read.
func decodesAgain(rest string) bool {
	if len(rest) >= 5 && (rest[0] == 'u' || rest[0] == 'U') {
		return isHex(rest[1]) && isHex(rest[2]) && isHex(rest[3]) && isHex(rest[4])
	}
	return len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func printable(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path, unicode.IsControl)
}
