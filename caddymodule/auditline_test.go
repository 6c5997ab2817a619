package caddymodule

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLinesOfOneRequestAreFoundInALog, and nothing else is taken for one.
func TestLinesOfOneRequestAreFoundInALog(t *testing.T) {
	const id = "0b1c8a52-6a3c-4a53-9df0-7d3e1f0c9a01"
	line := func(logger, rest string) string {
		return `{"ts":1795316899.69,"logger":"` + logger + `","msg":"refusal","request_id":"` + id + `"` + rest + "}"
	}
	good := line(auditLogger, `,"path":"/x"`)
	for name, c := range map[string]struct {
		log  string
		want int
	}{
		"no line":                          {"", 0},
		"one line":                         {good + "\n", 1},
		"the last line without its end":    {"{}\n" + good, 1},
		"two lines":                        {good + "\n" + good + "\n", 2},
		"a line of another logger":         {line("http.log.access", "") + "\n", 0},
		"a line that is no JSON":           {"INFO refusal " + id + "\n" + good + "\n", 1},
		"an id in another member":          {`{"logger":"` + auditLogger + `","path":"/` + id + `"}` + "\n", 0},
		"a line that is too long":          {line(auditLogger, `,"path":"`+strings.Repeat("x", maxAuditLine)+`"`) + "\n" + good + "\n", 1},
		"a line within one that is longer": {strings.Repeat("x", maxAuditLine) + good + "\n", 0},
		"more lines than one request has":  {strings.Repeat(good+"\n", maxOfRequest+1), maxOfRequest},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := auditLines(strings.NewReader(c.log), id)
			if err != nil || len(got) != c.want {
				t.Fatalf("%d lines, %v", len(got), err)
			}
			for _, l := range got {
				if l.Path != "/x" || l.Time != "2026-11-22T03:08:19Z" {
					t.Errorf("read %+v", l)
				}
			}
		})
	}
	broken := io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(errors.New("broken")))
	if _, err := auditLines(broken, id); err == nil {
		t.Error("a log that cannot be read is taken for a whole one")
	}
}

func TestTheFileOfTheAuditLogIsTheOneOfTheConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		include, exclude []string
		want             bool
	}{
		"all":                    {nil, nil, true},
		"this one":               {[]string{auditLogger}, nil, true},
		"one above":              {[]string{"http.handlers"}, nil, true},
		"one whose name begins":  {[]string{"http.handlers.gate"}, nil, false},
		"another":                {[]string{"http.log.access"}, nil, false},
		"all but this one":       {nil, []string{auditLogger}, false},
		"all but another":        {nil, []string{"http.log.access"}, true},
		"nothing of the modules": {nil, []string{"*"}, false},
		"this one out of those":  {[]string{auditLogger}, []string{"http.handlers"}, true},
		"those without this one": {[]string{"http.handlers"}, []string{auditLogger}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := takesAudit(c.include, c.exclude); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
