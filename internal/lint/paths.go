package lint

import "strings"

// Patterns of public and require have three shapes: `/x`, `/x/*`, `*.ext`.

// isEnding reports whether a pattern selects by the end of a path.
func isEnding(p string) bool { return strings.HasPrefix(p, "*") && p != "*" }

// isAll reports whether a pattern selects every path.
func isAll(p string) bool { return p == "/*" || p == "*" }

// within reports whether all that a pattern selects is selected by another one
// too, in any case.
func within(narrow, wide string) bool {
	narrow, wide = strings.ToLower(narrow), strings.ToLower(wide)
	if isAll(wide) || narrow == wide {
		return true
	}
	if isEnding(wide) {
		return strings.HasSuffix(narrow, wide[1:]) && !strings.HasSuffix(narrow, "*")
	}
	prefix, ok := strings.CutSuffix(wide, "/*")
	if !ok || isEnding(narrow) {
		return false
	}
	return narrow == prefix || strings.HasPrefix(narrow, prefix+"/")
}
