package dialect

import (
	"net/http"
	"strings"
)

// Accept is what a client is ready to read (RFC 9110 section 12.5.1), in the
// order in which it said so.
type Accept []mediaRange

// mediaRange is one element of Accept: `type/subtype`, `type/*` or `*/*`.
type mediaRange struct {
	kind, subtype string
	// quality is in thousandths, 0 for "never".
	quality int
}

// ParseAccept reads all Accept fields. An element that does not parse is left
// out: a client that says nonsense is answered as one that said nothing.
func ParseAccept(h http.Header) Accept {
	var a Accept
	for _, field := range h.Values("Accept") {
		for element := range strings.SplitSeq(field, ",") {
			if m, ok := parseRange(element); ok {
				a = append(a, m)
			}
		}
	}
	return a
}

// Best returns the offer that the client likes best, and whether it accepts
// any. For each offer the most specific range decides; between offers decide
// in turn the quality, how specific the range is, the order of the header and
// the order of the offers.
func (a Accept) Best(offers ...string) (string, bool) {
	best, found := "", false
	var won match
	for _, offer := range offers {
		m := a.match(offer)
		if m.quality > 0 && (!found || m.beats(won)) {
			best, won, found = offer, m, true
		}
	}
	return best, found
}

// match is how well an offer fits.
type match struct{ quality, specific, place int }

func (m match) beats(o match) bool {
	if m.quality != o.quality {
		return m.quality > o.quality
	}
	if m.specific != o.specific {
		return m.specific > o.specific
	}
	return m.place < o.place
}

func (a Accept) match(offer string) match {
	kind, subtype, _ := strings.Cut(offer, "/")
	var m match
	for place, r := range a {
		if specific := r.covers(kind, subtype); specific > m.specific {
			m = match{r.quality, specific, place}
		}
	}
	return m
}

// covers returns how specifically r names the type: 3 by name, 2 by its kind,
// 1 by `*/*`, 0 not at all.
func (r mediaRange) covers(kind, subtype string) int {
	switch {
	case r.kind == kind && r.subtype == subtype:
		return 3
	case r.kind == kind && r.subtype == "*":
		return 2
	case r.kind == "*":
		return 1
	}
	return 0
}

func parseRange(element string) (mediaRange, bool) {
	name, params, _ := strings.Cut(element, ";")
	kind, subtype, ok := strings.Cut(strings.ToLower(strings.TrimSpace(name)), "/")
	if !ok || kind == "" || subtype == "" || kind == "*" && subtype != "*" {
		return mediaRange{}, false
	}
	quality, ok := parseQuality(params)
	return mediaRange{kind, subtype, quality}, ok
}

// parseQuality finds the weight among the parameters, which are ignored
// otherwise; 1000 without one.
func parseQuality(params string) (int, bool) {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return thousandths(strings.TrimSpace(value))
		}
	}
	return 1000, true
}

// thousandths reads a qvalue: 0 or 1, with at most three decimals (RFC 9110
// section 12.4.2).
func thousandths(q string) (int, bool) {
	whole, decimals, dotted := strings.Cut(q, ".")
	if (whole != "0" && whole != "1") || len(decimals) > 3 || dotted && whole == "1" && strings.Trim(decimals, "0") != "" {
		return 0, false
	}
	if whole == "1" {
		return 1000, true
	}
	value := 0
	for i := range 3 {
		value *= 10
		if i >= len(decimals) {
			continue
		}
		if decimals[i] < '0' || decimals[i] > '9' {
			return 0, false
		}
		value += int(decimals[i] - '0')
	}
	return value, true
}
