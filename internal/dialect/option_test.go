package dialect

import (
	"strings"
	"testing"
	"time"
)

func TestOptionsCheckTheirArguments(t *testing.T) {
	flag, word, lasting := Flag("strict"), Word("credentials", "both", "either"), Lasting("overlap", time.Second, 30*day)
	tests := []struct {
		name   string
		option Option
		args   string
		want   string
	}{
		{"a flag stands alone", flag, "", ""},
		{"a flag with an argument", flag, "yes", `takes no argument, got "yes"`},
		{"a word of the list", word, "either", ""},
		{"no word", word, "", "takes one of these words: both, either, got 0 arguments"},
		{"two words", word, "both either", "takes one of these words: both, either, got 2 arguments"},
		{"another word", word, "neither", `cannot be "neither"`},
		{"a word in another case", word, "Both", `cannot be "Both"`},
		{"the least duration", lasting, "1s", ""},
		{"the longest duration", lasting, "30d", ""},
		{"days and hours", lasting, "1d12h", ""},
		{"less than the least", lasting, "999ms", `"999ms" is not between 1s and 720h0m0s`},
		{"more than the most", lasting, "30d1s", `"30d1s" is not between 1s and 720h0m0s`},
		{"a negative duration", lasting, "-2s", `"-2s" is not between 1s and 720h0m0s`},
		{"a part of a second", lasting, "1500ms", `"1500ms" is not a number of whole seconds`},
		{"a part of a second from none on", Lasting("overlap", 0, time.Minute), "1500ms", ""},
		{"no unit", lasting, "10", `"10" is not a duration like 90s, 12h or 30d`},
		{"days that are no number", lasting, "xd", `"xd" is not a duration like 90s, 12h or 30d`},
		{"negative days", lasting, "-1d", `"-1d" is not a duration like 90s, 12h or 30d`},
		{"days past any life", lasting, "99999d", `"99999d" is not a duration like 90s, 12h or 30d`},
		{"rubbish behind the days", lasting, "1dx", `"1dx" is not a duration like 90s, 12h or 30d`},
		{"no duration", lasting, "", "takes one duration, got 0 arguments"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.option.Check(strings.Fields(tt.args)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOptionsAreReadBack(t *testing.T) {
	c := Config{Options: map[string][]string{"strict": {}, "credentials": {"both"}, "overlap": {"1d30m"}}}
	if !c.Flag("strict") || c.Flag("loose") {
		t.Error("flags are mixed up")
	}
	if c.Arg("credentials", "either") != "both" || c.Arg("strict", "usual") != "usual" || c.Arg("other", "usual") != "usual" {
		t.Error("arguments are mixed up")
	}
	if d := c.Duration("overlap", time.Second); d != 24*time.Hour+30*time.Minute {
		t.Errorf("overlap is %v", d)
	}
	if d := c.Duration("other", time.Second); d != time.Second {
		t.Errorf("without the option it is %v", d)
	}
}
