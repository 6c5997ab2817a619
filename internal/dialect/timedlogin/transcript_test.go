package timedlogin_test

import (
	"context"
	"errors"
	"net/http"
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
	s := &fakeService{t: t, lines: dialecttest.Lines(t, outcome)}
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
	return dialecttest.Configure(t, timedlogin.Kind(), options)
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
		return session.Issued{}, dialecttest.Failure(s.t, line[1:])
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
		ttl = dialecttest.Duration(s.t, line[5])
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
	refusal := dialect.Refusal{Err: auth.AsError(dialecttest.Failure(g.t, g.lines[0][1:]))}
	if len(g.lines) > 1 {
		refusal.Credential = bearer.Credential{Kind: auth.Query, Token: g.lines[1][1]}
	}
	g.d.Refuse(w, r, refusal)
}
