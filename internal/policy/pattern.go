package policy

import (
	"fmt"
	"strings"
)

// Pattern selects paths. It has one of three shapes, as in Caddy's path
// matcher: `/x` one path, `/x/*` what is below it, `*.ext` an ending.
type Pattern struct {
	shape shape
	// text is the path, the path above what is below it, or the ending.
	text string
}

type shape uint8

const (
	exact shape = iota
	below
	ending
)

// ParsePattern reads a pattern. It is written decoded, and must itself be a
// path that [ReadPath] takes. The error names the pattern and what is wrong.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{exact, text}
	if rest, ok := strings.CutSuffix(text, "/*"); ok {
		p = Pattern{below, rest}
	} else if rest, ok := strings.CutPrefix(text, "*."); ok {
		p = Pattern{ending, "." + rest}
	}
	if why := p.flaw(); why != "" {
		return Pattern{}, fmt.Errorf("path pattern %q: %s", text, why)
	}
	return p, nil
}

// flaw says what is wrong with a pattern, "" for nothing.
func (p Pattern) flaw() string {
	path := p.text
	switch {
	case p.shape == ending:
		if trimTail(path) != path || strings.Contains(path, "/") {
			return "an ending is *. and the last characters of a name"
		}
		path = "/x" + path
	case p.shape == below:
		path += "/"
	case path == "" || path[0] != '/' && path[0] != '*':
		return "it begins with a slash, or is an ending such as *.css"
	}
	if strings.Contains(path, "*") {
		return "a * stands alone as the last segment (/x/*) or begins an ending (*.ext)"
	}
	if path[0] != '/' {
		return "it begins with a slash, or is an ending such as *.css"
	}
	if strings.Contains(path, "%") {
		return "it is compared with decoded paths: write the character itself in place of an escape"
	}
	if !plain(path) {
		return "no request can have such a path: it could be read in two ways"
	}
	return ""
}

// String returns the pattern as it was written.
func (p Pattern) String() string {
	switch p.shape {
	case below:
		return p.text + "/*"
	case ending:
		return "*" + p.text
	}
	return p.text
}

// Match reports whether a path of [ReadPath] is selected to the letter: `/x`
// is neither /x/ nor /X, and `/x/*` is /x/ and all below it but not /x. This
// is for what opens paths.
func (p Pattern) Match(path string) bool {
	switch p.shape {
	case below:
		return len(path) > len(p.text) && path[len(p.text)] == '/' && path[:len(p.text)] == p.text
	case ending:
		return strings.HasSuffix(path, p.text)
	}
	return path == p.text
}
