package oauth2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/oauth2"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

// build makes the dialect of a transcript. Its options are lines as in the
// Caddyfile, with `base` for the base path. Its outcome is lines of words, a
// word being a Go string literal where it has to; without any the service must
// not be called:
//
//	client <id> <spelling>...              a client is verified, with these
//	client-fails <code> [reason [retry]]   ... or refused, whatever it sent
//	asked <scope>                          what a grant is asked for, "" for nothing
//	refreshes <token>                      the grant is a refresh of this
//	issues <access> <life> <scope> [<refresh>]
//	introspects <token>                    and answers with the lines that follow
//	active <access|refresh> <scope> <client> <username> <subject> <id> <issued> <expires>
//	inactive
//	revokes <token>
//	jwks <set>
//	fails <code> [reason [retry]]          the call after the client fails
//	fault <text>                           ... with an error nobody classified
//	refuse <code> [reason [retry]]         the request is a guarded one, refused
//	tls                                    it came over TLS
func build(t testing.TB, options, outcome string) http.Handler {
	s := &fakeService{t: t, says: says(t, outcome)}
	d, err := oauth2.New(configure(t, options), s)
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.says["tls"]; ok {
			r.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
		if words, ok := s.says["refuse"]; ok {
			w.Header().Set("Cache-Control", "no-store")
			d.Refuse(w, r, dialect.Refusal{Err: auth.AsError(dialecttest.Failure(t, words))})
			return
		}
		d.ServeHTTP(w, r)
		for name := range s.says {
			if !s.used[name] && name != "tls" {
				t.Errorf("nothing came of %q", name)
			}
		}
	})
}

func configure(t testing.TB, options string) dialect.Config {
	return dialecttest.Configure(t, oauth2.Kind(), options)
}

// fakeService answers as a transcript says.
type fakeService struct {
	t    testing.TB
	says map[string][]string
	used map[string]bool
}

// word returns the arguments of a line, and notes that it counted.
func (s *fakeService) word(name string) ([]string, bool) {
	if s.used == nil {
		s.used = map[string]bool{}
	}
	args, ok := s.says[name]
	s.used[name] = true
	return args, ok
}

// want fails the test unless a line says exactly this.
func (s *fakeService) want(name string, got ...string) {
	s.t.Helper()
	if args, ok := s.word(name); !ok || !slices.Equal(args, got) {
		s.t.Errorf("%s was called with %q, want %q", name, got, args)
	}
}

// failed returns how the call after the client fails, nil where it does not.
func (s *fakeService) failed() error {
	if words, ok := s.word("fails"); ok {
		return dialecttest.Failure(s.t, words)
	}
	if words, ok := s.word("fault"); ok {
		return errors.New(strings.Join(words, " "))
	}
	return nil
}

func (s *fakeService) Client(_ context.Context, id string, spellings ...auth.Secret) (session.Client, error) {
	if words, ok := s.word("client-fails"); ok {
		return session.Client{}, dialecttest.Failure(s.t, words)
	}
	got := []string{id}
	for _, secret := range spellings {
		got = append(got, secret.Reveal())
	}
	s.want("client", got...)
	return session.Client{ID: id}, nil
}

func (s *fakeService) ClientTokens(_ context.Context, c session.Client, asked auth.Scope) (session.Tokens, error) {
	return s.tokens(c, asked)
}

func (s *fakeService) RefreshTokens(_ context.Context, c session.Client, refresh auth.Secret, asked auth.Scope) (session.Tokens, error) {
	s.want("refreshes", refresh.Reveal())
	return s.tokens(c, asked)
}

func (s *fakeService) tokens(c session.Client, asked auth.Scope) (session.Tokens, error) {
	s.want("asked", asked.String())
	if err := s.failed(); err != nil {
		return session.Tokens{}, err
	}
	words, ok := s.word("issues")
	if !ok || c.ID == "" {
		s.t.Fatalf("client %q gets nothing that was said", c.ID)
	}
	t := session.Tokens{Access: session.Issued{
		Token: auth.NewSecret(words[0]), TTL: dialecttest.Duration(s.t, words[1]), Principal: &auth.Principal{Scopes: strings.Fields(words[2])},
	}}
	if len(words) > 3 {
		t.Refresh = session.Issued{Token: auth.NewSecret(words[3])}
	}
	return t, nil
}

func (s *fakeService) Introspect(_ context.Context, _ session.Client, text auth.Secret) (session.Introspection, error) {
	s.want("introspects", text.Reveal())
	if err := s.failed(); err != nil {
		return session.Introspection{}, err
	}
	if _, ok := s.word("inactive"); ok {
		return session.Introspection{}, nil
	}
	words, _ := s.word("active")
	return session.Introspection{
		Active: true, Kind: session.TokenKind(words[0]), Scopes: strings.Fields(words[1]), ClientID: words[2],
		Username: words[3], Subject: words[4], ID: words[5], Issued: instant(s.t, words[6]), Expires: instant(s.t, words[7]),
	}, nil
}

func (s *fakeService) RevokeToken(_ context.Context, _ session.Client, text auth.Secret) error {
	s.want("revokes", text.Reveal())
	return s.failed()
}

func (s *fakeService) JWKS(context.Context) ([]byte, error) {
	if err := s.failed(); err != nil {
		return nil, err
	}
	words, _ := s.word("jwks")
	return []byte(words[0]), nil
}

func instant(t testing.TB, text string) time.Time {
	i, err := time.Parse(time.RFC3339Nano, text)
	must(t, err)
	return i
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says reads an outcome, by the first word of each line.
func says(t testing.TB, outcome string) map[string][]string {
	said := map[string][]string{}
	for _, line := range dialecttest.Lines(t, outcome) {
		said[line[0]] = line[1:]
	}
	return said
}
