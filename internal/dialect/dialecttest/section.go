package dialecttest

import (
	"bufio"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// Lines splits the text of a section into lines of words; a word may be a Go
// string literal.
func Lines(t testing.TB, text string) (lines [][]string) {
	t.Helper()
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		rest, line := strings.TrimSpace(in.Text()), []string(nil)
		for rest != "" {
			var word string
			word, rest = nextWord(t, rest)
			line = append(line, word)
		}
		if line != nil {
			lines = append(lines, line)
		}
	}
	return lines
}

func nextWord(t testing.TB, text string) (word, rest string) {
	t.Helper()
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		word, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		return word, strings.TrimSpace(text[len(quoted):])
	}
	word, rest, _ = strings.Cut(text, " ")
	return word, strings.TrimSpace(rest)
}

// Configure reads the section options: lines as in a login block of the
// Caddyfile, and `base <path>`. Sizes are in bytes.
func Configure(t testing.TB, k dialect.Kind, text string) dialect.Config {
	t.Helper()
	cfg := dialect.Config{Base: k.Base, Options: map[string][]string{}}
	for _, line := range Lines(t, text) {
		configure(t, k, &cfg, line[0], line[1:])
	}
	return cfg
}

func configure(t testing.TB, k dialect.Kind, cfg *dialect.Config, name string, args []string) {
	t.Helper()
	switch name {
	case "base":
		cfg.Base = args[0]
	case "ttl":
		cfg.TTL = Duration(t, args[0])
	case "idle":
		cfg.Idle = Duration(t, args[0])
	case "format":
		cfg.Format = args[0]
	case "cors":
		cfg.CORS = args
	case "max_body":
		n, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		cfg.MaxBody = n
	default:
		if err := OptionNamed(t, k, name).Check(args); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cfg.Options[name] = args
	}
}

// OptionNamed returns an option of a dialect.
func OptionNamed(t testing.TB, k dialect.Kind, name string) dialect.Option {
	t.Helper()
	for _, o := range k.Options {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("%s has no option %q", k.Name, name)
	return dialect.Option{}
}

// errHidden is the cause of every failure that a transcript makes. [Replay]
// sees to it that no answer shows it.
var errHidden = errors.New("select secret from accounts: boom")

// Failure reads how a call of the session service fails:
//
//	<code> [reason] [key] [retry after]
//	unclassified
//
// With key it is about the API key; the second is an error of no code.
func Failure(t testing.TB, words []string) error {
	t.Helper()
	if len(words) == 0 {
		t.Fatal("a failure needs a code")
	}
	if words[0] == "unclassified" {
		return errHidden
	}
	e := &auth.Error{Code: code(t, words[0]), Err: errHidden}
	for _, word := range words[1:] {
		if d, err := time.ParseDuration(strings.TrimPrefix(word, "retry=")); err == nil {
			e.RetryAfter = d
			continue
		}
		if word == "key" {
			e.Err = errors.Join(auth.ErrKey, errHidden)
			continue
		}
		e.Reason = auth.Reason(word)
	}
	return e
}

func code(t testing.TB, name string) auth.Code {
	t.Helper()
	for _, c := range auth.Codes() {
		if c.String() == name {
			return c
		}
	}
	t.Fatalf("no code %q", name)
	return auth.Internal
}

// Duration reads a duration.
func Duration(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
