package forward

import "slices"

// nameSet holds field names in folded form, and prefixes that stand for all
// longer names. Most names are told to be absent by their first byte and
// length alone, in one load: a request has many fields and few of them matter.
type nameSet struct {
	lengths  [256]uint64 // by first byte, a bit for each length, the last for all above
	names    []string
	prefixes []string
}

func newNameSet(prefixes []string, names ...[]string) *nameSet {
	s := &nameSet{prefixes: prefixes}
	for _, name := range slices.Concat(names...) {
		if name = fold(name); name != "" {
			s.names = append(s.names, name)
			s.note(name[0], 1<<bit(name))
		}
	}
	for _, p := range prefixes {
		s.note(p[0], ^uint64(0)<<bit(p)<<1|1<<63)
	}
	return s
}

func (s *nameSet) note(first byte, lengths uint64) {
	s.lengths[first] |= lengths
	s.lengths[upper(first)] |= lengths
}

func bit(name string) int { return min(len(name), 63) }

// may reports whether a name could be in the set.
func (s *nameSet) may(name string) bool {
	return name != "" && s.lengths[name[0]]>>bit(name)&1 != 0
}

// has reports whether some spelling of a name is in the set.
func (s *nameSet) has(name string) bool {
	if !s.may(name) {
		return false
	}
	for _, p := range s.prefixes {
		if len(name) > len(p) && sameName(name[:len(p)], p) {
			return true
		}
	}
	for _, want := range s.names {
		if sameName(name, want) {
			return true
		}
	}
	return false
}

// sameName reports whether a name folds to want.
func sameName(name, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != want[i] {
			return false
		}
	}
	return true
}

// SameName reports whether two names are one to an upstream that knows neither
// case nor punctuation.
func SameName(a, b string) bool { return fold(a) == fold(b) }

// fold returns the form in which names are compared: lower case, and a hyphen
// for whatever is neither letter nor digit.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = foldByte(c)
	}
	return string(b)
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case isAlnum(c):
		return c
	}
	return '-'
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
