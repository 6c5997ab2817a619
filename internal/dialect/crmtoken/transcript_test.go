package crmtoken_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/crmtoken"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

// build makes the dialect of a transcript. Its options are lines as in the
// Caddyfile, with `base` for the base path. Its outcome is nothing, where the
// service must not be called, or what it must be called with and what it then
// does. Words may be quoted.
//
//	password <username> <password> <organisation> [<unit>]
//	identifier <identifier> <pass code> <organisation> [<unit>]
//	code <code> <organisation> [<unit>]
//	key <key> [<unit>]
//	release <token>
//
//	issue <token>                        a login gives this
//	ok                                   a release is done
//	fail <code> [reason [retry after]]   the call fails
//	fault <text>                         it fails with an error nobody classified
//	refuse <code> [reason [retry after]] alone: a guarded request is refused
func build(t testing.TB, options, outcome string) http.Handler {
	s := &fakeService{t: t, lines: fields(t, outcome)}
	d, err := crmtoken.New(configure(t, options), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.lines) > 0 && s.lines[0][0] == "refuse" {
		return guard{t, d, s.lines[0][1:]}
	}
	t.Cleanup(func() {
		if want := min(len(s.lines), 1); s.calls != want {
			t.Errorf("the service was called %d times, want %d", s.calls, want)
		}
	})
	return d
}

func configure(t testing.TB, options string) dialect.Config {
	cfg := dialect.Config{Base: crmtoken.Kind().Base, Options: map[string][]string{}}
	for _, line := range fields(t, options) {
		switch name, args := line[0], line[1:]; name {
		case "base":
			cfg.Base = args[0]
		case "ttl":
			cfg.TTL = duration(t, args[0])
		case "idle":
			cfg.Idle = duration(t, args[0])
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
			if err := optionNamed(t, name).Check(args); err != nil {
				t.Fatal(err)
			}
			cfg.Options[name] = args
		}
	}
	return cfg
}

func optionNamed(t testing.TB, name string) dialect.Option {
	for _, o := range crmtoken.Kind().Options {
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
	calls int
}

func (s *fakeService) LoginTenant(_ context.Context, l session.TenantLogin) (session.Issued, error) {
	return s.issue(words(l)...)
}

func (s *fakeService) LoginTenantKey(_ context.Context, key auth.Secret, unit string) (session.Issued, error) {
	return s.issue("key", key.Reveal(), unit)
}

func (s *fakeService) Release(_ context.Context, token string) error {
	_, err := s.answer("release", token)
	return err
}

// words says which of the three logins it is, with all that it names.
func words(l session.TenantLogin) []string {
	all := []string{l.Username, l.Password.Reveal(), l.Identifier, l.PassCode.Reveal(), l.Code.Reveal()}
	where := []string{l.Tenant, l.Unit}
	switch {
	case l.Username != "" && l.Password.Reveal() != "" && strings.Join(all[2:], "") == "":
		return append([]string{"password", all[0], all[1]}, where...)
	case l.Identifier != "" && l.PassCode.Reveal() != "" && all[0]+all[1]+all[4] == "":
		return append([]string{"identifier", all[2], all[3]}, where...)
	case all[4] != "" && strings.Join(all[:4], "") == "":
		return append([]string{"code", all[4]}, where...)
	}
	return append([]string{"something else than one login"}, all...)
}

func (s *fakeService) issue(call ...string) (session.Issued, error) {
	text, err := s.answer(call...)
	return session.Issued{Token: auth.NewSecret(text)}, err
}

func (s *fakeService) answer(call ...string) (string, error) {
	s.calls++
	if call[len(call)-1] == "" { // no unit
		call = call[:len(call)-1]
	}
	if len(s.lines) != 2 || !slices.Equal(call, s.lines[0]) {
		s.t.Errorf("the service was called with %q, the transcript says %q", call, s.lines)
		return "", errors.New("not expected")
	}
	switch line := s.lines[1]; line[0] {
	case "issue":
		return line[1], nil
	case "ok":
		return "", nil
	case "fail":
		return "", failure(s.t, line[1:])
	case "fault":
		return "", errors.New(strings.Join(line[1:], " "))
	}
	s.t.Fatalf("outcome %q", s.lines)
	return "", nil
}

// guard refuses every request as the gateway would.
type guard struct {
	t     testing.TB
	d     *crmtoken.Dialect
	words []string
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	g.d.Refuse(w, r, dialect.Refusal{Err: failure(g.t, g.words)})
}

// failure reads `<code> [reason [retry after]]`. The reason `key` is one of the
// key that obtained a token: it has expired.
func failure(t testing.TB, words []string) *auth.Error {
	e := &auth.Error{Code: code(t, words[0]), Err: errors.New("select secret from accounts: boom")}
	if len(words) > 1 {
		e.Reason = auth.Reason(words[1])
	}
	if e.Reason == "key" {
		e.Reason, e.Err = auth.ReasonExpired, auth.ErrKey
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
