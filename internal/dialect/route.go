package dialect

import "strings"

// Covers reports whether a dialect that claims this route answers a path:
// exactly it, or, unless Exact, one below it. Segments are compared whole:
// /login does not cover /loginx.
func (r Route) Covers(path string) bool {
	if len(path) < len(r.Path) || !r.equal(path[:len(r.Path)], r.Path) {
		return false
	}
	rest := path[len(r.Path):]
	if r.Below != "" {
		var ok bool
		if rest, ok = r.cutBelow(rest); !ok {
			return false
		}
	}
	return rest == "" || (!r.Exact && (rest[0] == '/' || strings.HasSuffix(r.Path, "/")))
}

// cutBelow takes segments that match Below from the front of a path and
// returns what follows them, which begins with a slash or is nothing.
func (r Route) cutBelow(path string) (rest string, ok bool) {
	for want := range strings.SplitSeq(r.Below[1:], "/") {
		if path == "" || path[0] != '/' {
			return "", false
		}
		end := strings.IndexByte(path[1:], '/') + 1
		if end == 0 {
			end = len(path)
		}
		// Some upstreams drop what is trimmed here, and would take the rest.
		got := strings.TrimRight(path[1:end], ". ")
		if got == "" || want != "*" && (len(got) != len(want) || !r.equal(got, want)) {
			return "", false
		}
		path = path[end:]
	}
	return path, true
}

// Overlaps reports whether two routes claim a path in common. Below is left
// out of account: what is below one Path belongs to one dialect.
func (r Route) Overlaps(other Route) bool {
	either := Route{Path: r.Path, Fold: r.Fold || other.Fold, Exact: r.Exact}
	if either.Covers(other.Path) {
		return true
	}
	either = Route{Path: other.Path, Fold: r.Fold || other.Fold, Exact: other.Exact}
	return either.Covers(r.Path)
}

// Shared returns a path that two lists of routes both claim, "" for none.
func Shared(a, b []Route) string {
	for _, r := range a {
		for _, other := range b {
			if !r.Overlaps(other) {
				continue
			}
			if len(other.Path) > len(r.Path) {
				return other.Path // r claims all below its own
			}
			return r.Path
		}
	}
	return ""
}

func (r Route) equal(a, b string) bool {
	if !r.Fold {
		return a == b
	}
	return equalFold(a, b)
}

// equalFold compares two texts of one length.
func equalFold(a, b string) bool {
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// lower folds ASCII only: a route is ASCII, and no other character may stand
// for one of its letters.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
