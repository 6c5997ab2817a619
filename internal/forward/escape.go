package forward

import "strings"

// Escape returns a value as it can stand in a header field: plain ASCII as it
// is, and percent-encoded UTF-8 for the rest. The percent sign is encoded too,
// so that percent-decoding gives back every value and no two values look the
// same: the username "%C3%A9" is not the username "é". A space at either end,
// which HTTP would take off, is encoded.
func Escape(value string) string {
	n := 0
	for i := range len(value) {
		if mustEscape(value, i) {
			n++
		}
	}
	if n == 0 {
		return value
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(value) + 2*n)
	for i := range len(value) {
		c := value[i]
		if !mustEscape(value, i) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func mustEscape(value string, i int) bool {
	c := value[i]
	return c < 0x20 || c >= 0x7f || c == '%' || c == ' ' && (i == 0 || i == len(value)-1)
}
