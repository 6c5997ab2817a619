package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity int

// The severities, from the least.
const (
	Note    Severity = iota // worth knowing
	Warning                 // likely not what was meant
	Error                   // a hole, or no start at all
)

var severities = [...]string{"note", "warning", "error"}

func (s Severity) String() string { return severities[s] }

// ParseSeverity reads the name of a severity.
func ParseSeverity(text string) (Severity, error) {
	if i := slices.Index(severities[:], text); i >= 0 {
		return Severity(i), nil
	}
	return 0, fmt.Errorf("%q is no severity: it can be %s", text, strings.Join(severities[:], ", "))
}

// Finding is one thing that was found.
type Finding struct {
	Rule  *Rule
	Place Place
	// Message says in a sentence what it is. It holds no secret.
	Message string
}

// Rule is a thing that is looked for.
type Rule struct {
	// ID is stable and never used again for something else. Name is a word or
	// two joined by hyphens.
	ID, Name string
	Severity Severity
	// Why says what is bad about it, Remedy what to do.
	Why, Remedy string
	check       func(*Config, report)
}

// report tells a finding.
type report func(at Place, format string, args ...any)

// Check holds a configuration against every rule. Findings are in the order of
// their places, those without one first.
func Check(c *Config) []Finding {
	var all []Finding
	for i := range Rules {
		r := &Rules[i]
		r.check(c, func(at Place, format string, args ...any) {
			all = append(all, Finding{Rule: r, Place: at, Message: fmt.Sprintf(format, args...)})
		})
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Rule.ID, b.Rule.ID))
	})
	return slices.CompactFunc(all, func(a, b Finding) bool { return a == b })
}

// Worst returns the greatest severity among findings; ok is false for none.
func Worst(all []Finding) (worst Severity, ok bool) {
	for _, f := range all {
		worst = max(worst, f.Rule.Severity)
	}
	return worst, len(all) > 0
}
