package auth

import (
	"slices"
	"strings"
	"testing"
)

func TestAListOfNamesIsBoundedInNumberAndLength(t *testing.T) {
	full := slices.Repeat([]string{strings.Repeat("a", 23)}, MaxNames) // with its commas one byte less than the bound
	for name, c := range map[string]struct {
		names []string
		fits  bool
	}{
		"none":                           {nil, true},
		"as many as can be":              {slices.Repeat([]string{"a"}, MaxNames), true},
		"one more":                       {slices.Repeat([]string{"a"}, MaxNames+1), false},
		"as many, as long as can be":     {slices.Replace(slices.Clone(full), 0, 1, full[0]+"b"), true},
		"as many, a byte longer":         {slices.Replace(slices.Clone(full), 0, 1, full[0]+"bc"), false},
		"few that are long":              {slices.Repeat([]string{strings.Repeat("a", 128)}, 12), false},
		"one that is longer than a name": {[]string{strings.Repeat("a", MaxNamesLength+1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := CheckCount(c.names); (err == nil) != c.fits {
				t.Errorf("got %v", err)
			}
		})
	}
}
