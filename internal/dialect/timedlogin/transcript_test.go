package timedlogin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/timedlogin"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

// build makes the dialect of a transcript. Its options are lines as in the
// Caddyfile, with `base` for the base path. Its outcome is one of:
//
//	(nothing)                              the service must not be called
//	issue <login> <key> <token> <expires>  it must be called with these, quoted
//	fail <code> [reason [retry after]]     the login fails
//	fault <text>                           it fails with an error nobody classified
//	refuse <code> [reason [retry after]]   the request is a guarded one, refused
//	token <text>                           ... with this token, quoted
func build(t testing.TB, options, outcome string) http.Handler {
	s := &fakeService{t: t, lines: fields(t, outcome)}
	d, err := timedlogin.New(configure(t, options), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.lines) > 0 && s.lines[0][0] == "refuse" {
		return guard{t, d, s.lines}
	}
	return d
}

func configure(t testing.TB, options string) dialect.Config {
	cfg := dialect.Config{Base: "/login", Options: map[string][]string{}}
	for _, line := range fields(t, options) {
		switch name, args := line[0], line[1:]; name {
		case "base":
			cfg.Base = args[0]
		case "ttl":
			cfg.TTL = duration(t, args[0])
		case "cors":
			cfg.CORS = args
		case "max_body":
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			cfg.MaxBody = n
		default:
			if err := optionNamed(t, name).Check(args); err != nil {
				t.Fatal(err)
			}
			cfg.Options[name] = args
		}
	}
	return cfg
}

func optionNamed(t testing.TB, name string) dialect.Option {
	for _, o := range timedlogin.Kind().Options {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("no option %q", name)
	return dialect.Option{}
}

// fakeService answers as a transcript says.
type fakeService struct {
	t     testing.TB
	lines [][]string
}

func (s *fakeService) LoginKey(_ context.Context, username string, key auth.Secret) (session.Issued, error) {
	if len(s.lines) == 0 {
		s.t.Errorf("the service was called for %q", username)
		return session.Issued{}, errors.New("not expected")
	}
	switch line := s.lines[0]; line[0] {
	case "issue":
		return s.issue(line, username, key)
	case "fail":
		return session.Issued{}, failure(s.t, line[1:])
	case "fault":
		return session.Issued{}, errors.New(strings.Join(line[1:], " "))
	}
	s.t.Fatalf("outcome %q", s.lines)
	return session.Issued{}, nil
}

func (s *fakeService) issue(line []string, username string, key auth.Secret) (session.Issued, error) {
	if username != line[1] || key.Reveal() != line[2] {
		s.t.Errorf("called with %q and %q, want %q and %q", username, key.Reveal(), line[1], line[2])
	}
	expires, err := time.Parse(time.RFC3339Nano, line[4])
	if err != nil {
		s.t.Fatal(err)
	}
	ttl := 20 * time.Second
	if len(line) > 5 {
		ttl = duration(s.t, line[5])
	}
	return session.Issued{Token: auth.NewSecret(line[3]), Expires: expires, TTL: ttl}, nil
}

// guard refuses every request as the gateway would.
type guard struct {
	t     testing.TB
	d     *timedlogin.Dialect
	lines [][]string
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	refusal := dialect.Refusal{Err: failure(g.t, g.lines[0][1:])}
	if len(g.lines) > 1 {
		refusal.Credential = bearer.Credential{Kind: auth.Query, Token: g.lines[1][1]}
	}
	g.d.Refuse(w, r, refusal)
}

// failure reads `<code> [reason [retry after]]`.
func failure(t testing.TB, words []string) *auth.Error {
	e := &auth.Error{Code: code(t, words[0]), Err: errors.New("select secret from accounts: boom")}
	if len(words) > 1 {
		e.Reason = auth.Reason(words[1])
	}
	if len(words) > 2 {
		e.RetryAfter = duration(t, words[2])
	}
	return e
}

func code(t testing.TB, name string) auth.Code {
	for _, c := range auth.Codes() {
		if c.String() == name {
			return c
		}
	}
	t.Fatalf("no code %q", name)
	return auth.Internal
}

func duration(t testing.TB, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fields splits text into lines of words; a word may be a Go string literal.
func fields(t testing.TB, text string) (lines [][]string) {
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		rest, line := strings.TrimSpace(in.Text()), []string(nil)
		for rest != "" {
			var word string
			word, rest = next(t, rest)
			line = append(line, word)
		}
		if line != nil {
			lines = append(lines, line)
		}
	}
	return lines
}

func next(t testing.TB, text string) (word, rest string) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		word, err = strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", quoted, err))
		}
		return word, strings.TrimSpace(text[len(quoted):])
	}
	word, rest, _ = strings.Cut(text, " ")
	return word, strings.TrimSpace(rest)
}
