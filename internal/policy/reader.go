package policy

import (
	"net/url"
	"slices"
	"strings"
)

// Reader reads the paths of a site whose operator has said how its upstream
// reads them. The zero value is [ReadPath]: it refuses whatever reads in two
// ways. Each spelling that is allowed makes the path that has it read in
// several, of which none is taken for the true one: what opens must match all
// of them and what closes any.
//
// Dot segments, controls, invalid UTF-8, `#`, `?` and what would decode a
// second time cannot be allowed: no client that means well sends them, and an
// upstream may take each for the path of somebody else.
type Reader struct {
	// FoldCase has what opens match in any case, for an upstream that knows
	// none. Only ASCII is folded: which other letters are one differs.
	FoldCase bool
	// EncodedSlash allows %2F: a character of a segment, or the end of it.
	EncodedSlash bool
	// DoubleSlash allows empty segments but the first: kept, or merged.
	DoubleSlash bool
	// Semicolon allows `;`: a character, or what begins a parameter of the
	// segment or of the whole path.
	Semicolon bool
	// Backslash allows `\`: a character, or a slash.
	Backslash bool
}

// maxReadings bounds what one path may cost. A path of one allowed spelling
// has at most three readings; one that has more than these mixes all four
// several times over, and is refused.
const maxReadings = 40

// Read is [ReadPath] where that takes the path, and others is then nil. Else,
// where all that stands against it is allowed, it returns the path decoded
// once, and in others each further way to read it, in which a slash that stays
// encoded is written %2F. The errors are those of ReadPath.
func (d Reader) Read(target string, u *url.URL) (path string, others []string, err error) {
	path, err = ReadPath(target, u)
	if err == nil || !d.allowsAny() || u.Path == "" || u.Path[0] != '/' || !sameRequest(target, u) {
		return path, nil, err
	}
	marked, ok := d.mark(u)
	if !ok {
		return "", nil, err
	}
	all, ok := d.readings(marked)
	if !ok {
		return "", nil, err
	}
	others = make([]string, 0, len(all))
	for _, reading := range all {
		reading = strings.ReplaceAll(reading, keptSlash, "%2F")
		if reading != u.Path && !slices.Contains(others, reading) {
			others = append(others, reading)
		}
	}
	return u.Path, others, nil
}

func (d Reader) allowsAny() bool {
	return d.EncodedSlash || d.DoubleSlash || d.Semicolon || d.Backslash
}

// Opens reports whether a path is selected to the letter, or but for its case
// where that is how the upstream reads. This is for what opens paths.
func (d Reader) Opens(p Pattern, path string) bool {
	if !d.FoldCase {
		return p.Match(path)
	}
	return Pattern{p.shape, lowerASCII(p.text)}.Match(lowerASCII(path))
}

// lowerASCII returns text itself where it is in lower case.
func lowerASCII(text string) string {
	if strings.IndexFunc(text, isUpperASCII) < 0 {
		return text
	}
	return strings.Map(func(c rune) rune {
		if isUpperASCII(c) {
			return c + 'a' - 'A'
		}
		return c
	}, text)
}

func isUpperASCII(c rune) bool { return 'A' <= c && c <= 'Z' }

// keptSlash stands for a slash that stays encoded. No path has it otherwise: it
// is a control character.
const keptSlash = "\x00"

// mark returns the path decoded once, but for its encoded slashes.
func (d Reader) mark(u *url.URL) (string, bool) {
	if strings.Contains(u.Path, keptSlash) {
		return "", false
	}
	if u.RawPath == "" || !d.EncodedSlash {
		return u.Path, u.RawPath == "" || decodesTo(u.RawPath, u.Path)
	}
	decoded, err := url.PathUnescape(u.RawPath)
	if err != nil || decoded != u.Path {
		return "", false
	}
	raw := strings.NewReplacer("%2f", keptSlash, "%2F", keptSlash).Replace(u.RawPath)
	marked, err := url.PathUnescape(raw)
	return marked, err == nil
}

// readings returns the marked path and all that becomes of it where the allowed
// spellings are read as syntax, in every order, since upstreams differ in that
// too. It is false where one of them could not be read alone.
func (d Reader) readings(marked string) ([]string, bool) {
	all := []string{marked}
	for i := 0; i < len(all); i++ {
		if !d.plain(all[i]) {
			return nil, false
		}
		for _, next := range d.steps(all[i]) {
			if !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
		if len(all) > maxReadings {
			return nil, false
		}
	}
	return all, true
}

// steps reads one kind of allowed spelling as syntax, each kind by itself.
func (d Reader) steps(path string) []string {
	var next []string
	if d.EncodedSlash {
		next = append(next, strings.ReplaceAll(path, keptSlash, "/"))
	}
	if d.Backslash {
		next = append(next, strings.ReplaceAll(path, `\`, "/"))
	}
	if d.DoubleSlash {
		next = append(next, mergeSlashes(path))
	}
	if d.Semicolon {
		whole, _, _ := strings.Cut(path, ";")
		next = append(next, whole, cutParameters(path))
	}
	return next
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// cutParameters takes from each segment what follows its first semicolon.
func cutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

// plain reports whether a reading has nothing against it but what is allowed.
// Two slashes at its beginning are never: some take what follows for a host.
func (d Reader) plain(path string) bool {
	if strings.HasPrefix(path, "//") {
		return false
	}
	if d.DoubleSlash {
		path = mergeSlashes(path)
	}
	pairs := []string{keptSlash, "x"}
	if d.Semicolon {
		pairs = append(pairs, ";", "x")
	}
	if d.Backslash {
		pairs = append(pairs, `\`, "x")
	}
	path = strings.NewReplacer(pairs...).Replace(path)
	return path != "" && plain(path)
}
