package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MatchFold reports whether a path of [ReadPath] is selected, or could be
// taken for one that is. This is for what closes paths, and so it covers more
// than [Pattern.Match]: any case (Unicode simple folding), a trailing slash,
// dots and spaces at the end of a segment, which file systems of Windows drop.
// `/x/*` covers /x itself, `/*` every request with "*" too, and `*.ext` a
// segment anywhere, since some servers read the rest as an argument of it.
func (p Pattern) MatchFold(path string) bool {
	switch {
	case p.shape == ending:
		return anySegment(path, p.text)
	case p.shape == below && p.text == "":
		return true
	}
	want := strings.TrimSuffix(strings.TrimPrefix(p.text, "/"), "/")
	rest := strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	for more := true; more; {
		var a, b string
		var left bool
		a, want, more = strings.Cut(want, "/")
		b, rest, left = strings.Cut(rest, "/")
		if !strings.EqualFold(trimTail(a), trimTail(b)) {
			return false
		}
		if !more && left {
			return p.shape == below
		}
	}
	return true
}

func anySegment(path, end string) bool {
	for more := true; more; {
		var segment string
		segment, path, more = strings.Cut(path, "/")
		if hasSuffixFold(trimTail(segment), end) {
			return true
		}
	}
	return false
}

// hasSuffixFold goes from the end rune by rune, since the runes that fold
// together differ in length.
func hasSuffixFold(text, end string) bool {
	for end != "" {
		a, n := utf8.DecodeLastRuneInString(text)
		b, m := utf8.DecodeLastRuneInString(end)
		if n == 0 || !sameFold(a, b) {
			return false
		}
		text, end = text[:len(text)-n], end[:len(end)-m]
	}
	return true
}

func sameFold(a, b rune) bool {
	if a == b {
		return true
	}
	for c := unicode.SimpleFold(a); c != a; c = unicode.SimpleFold(c) {
		if c == b {
			return true
		}
	}
	return false
}

func trimTail(segment string) string { return strings.TrimRight(segment, ". ") }
