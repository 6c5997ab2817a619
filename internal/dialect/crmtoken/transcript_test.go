package crmtoken_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

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
	s := &fakeService{t: t, lines: dialecttest.Lines(t, outcome)}
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
	return dialecttest.Configure(t, crmtoken.Kind(), options)
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
		return "", dialecttest.Failure(s.t, line[1:])
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
	g.d.Refuse(w, r, dialect.Refusal{Err: auth.AsError(dialecttest.Failure(g.t, g.words))})
}
