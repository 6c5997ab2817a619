package dialect

import (
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// leastToken is below the length of the shortest token that anyone may put into
// such a path: login tokens have 32 characters, but clients send what they have.
const leastToken = 20

// HideTokens returns text, a path or what holds one, without the segments
// behind one of the paths, in any case, that may be a token: all of 20
// characters and more that are no UUID. It is for logs, see [Kind.TokenPaths].
func HideTokens(text string, below ...string) string {
	for _, path := range below {
		text = hideBelow(text, path+"/")
	}
	return text
}

func hideBelow(text, path string) string {
	var out strings.Builder
	rest := text
	for at := indexFold(rest, path); at >= 0; at = indexFold(rest, path) {
		start := at + len(path)
		end := start + segment(rest[start:])
		out.WriteString(rest[:start])
		if mayBeToken(rest[start:end]) {
			out.WriteString(auth.Redacted)
		} else {
			out.WriteString(rest[start:end])
		}
		rest = rest[end:]
	}
	if out.Len() == 0 {
		return text
	}
	return out.String() + rest
}

// indexFold is [strings.Index] without regard to the case of ASCII letters: a
// call that is spelled wrong is refused, and logged with its token all the
// same. part begins with a slash.
func indexFold(text, part string) int {
	for from := 0; ; from++ {
		at := strings.IndexByte(text[from:], part[0])
		if at < 0 || len(text) < from+at+len(part) {
			return -1
		}
		from += at
		if equalFold(text[from:from+len(part)], part) {
			return from
		}
	}
}

// segment returns how long the segment is that text begins with.
func segment(text string) int {
	if n := strings.IndexFunc(text, func(c rune) bool { return c <= ' ' || strings.ContainsRune(`/?#&"'`, c) }); n >= 0 {
		return n
	}
	return len(text)
}

func mayBeToken(segment string) bool {
	if plain, err := url.PathUnescape(segment); err == nil {
		segment = plain
	}
	_, isID := token.ParseGUID(segment)
	return len(segment) >= leastToken && !isID
}
