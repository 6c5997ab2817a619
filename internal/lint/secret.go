package lint

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	// placeholder is what is filled in later, from the environment or a file.
	placeholder = regexp.MustCompile(`\{[^{}\s]*\}`)
	// inURL is a password in a URL, inSetting one in a list of settings.
	inURL     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:[^/@\s]+@`)
	inSetting = regexp.MustCompile(`(?i)(^|[\s;&?])(\w*passw(?:or)?d|pwd|secret|token|api_?key)=[^\s;&]+`)
	// run is a text that could be a random one.
	run = regexp.MustCompile(`[A-Za-z0-9+=]+`)
)

// leastRun is the length from which a mixture of letters and digits is not a
// word any more.
const leastRun = 16

// looksSecret reports whether a value seems to be a secret. It errs towards
// no: names, paths, addresses and ids are none.
func looksSecret(text string) bool {
	text = placeholder.ReplaceAllString(text, "")
	if strings.Contains(text, "-----BEGIN") || inURL.MatchString(text) || inSetting.MatchString(text) {
		return true
	}
	for _, part := range run.FindAllString(text, -1) {
		if isRandom(part) {
			return true
		}
	}
	return false
}

// isRandom reports whether a text mixes letters and digits as no name does.
func isRandom(text string) bool {
	if len(text) < leastRun {
		return false
	}
	changes, was := 0, 'x'
	for _, c := range text {
		kind := 'x'
		if unicode.IsDigit(c) {
			kind = '0'
		}
		if kind != was {
			changes++
		}
		was = kind
	}
	return changes >= 4
}
