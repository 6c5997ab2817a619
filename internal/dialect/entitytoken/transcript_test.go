package entitytoken_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/entitytoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

// build makes the dialect of a transcript. Its options are lines as in the
// Caddyfile, with `base` for the base path. An outcome says what the service
// does, in words that may be quoted; without a line a call must not be made:
//
//	caller <key> <user> <token> <entity> <path user>  who must ask for which place
//	caller ok                                         whoever asks may have it
//	caller fail …                                     who asks may not
//	get|create <token>                                the token of the place
//	change <expiry or -> [flag…]                      what must be changed
//	refresh <old> <token>                             what must be refreshed, to what
//	delete                                            the token goes
//	<call> fail <code> [reason] [key] [retry=<duration>]
//	<call> fault                                      with an error nobody classified
//	refuse <code> [reason] [key] [retry=<duration>]   the request is a guarded one, refused
//	entity                                            … with an entity token
func build(t testing.TB, options, outcome string) http.Handler {
	s := &fakeService{t: t, lines: map[string][]string{}}
	for _, line := range dialecttest.Lines(t, outcome) {
		s.lines[line[0]] = line[1:]
	}
	d, err := entitytoken.New(configure(t, options), s)
	if err != nil {
		t.Fatal(err)
	}
	if s.lines["refuse"] != nil {
		return guard(d, s)
	}
	return checked{t, d}
}

// checked makes sure that each refusal is told once, for the audit log.
type checked struct {
	t testing.TB
	d *entitytoken.Dialect
}

func (c checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	told, status := 0, &statusWriter{ResponseWriter: w}
	c.d.ServeHTTP(status, r.WithContext(dialect.WithRefused(r.Context(), func(error) { told++ })))
	if want := status.code >= 400; want != (told == 1) {
		c.t.Errorf("%d, and %d refusals were told", status.code, told)
	}
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// guard refuses every request as the gateway would.
func guard(d *entitytoken.Dialect, s *fakeService) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := dialect.Refusal{Err: auth.AsError(dialecttest.Failure(s.t, s.lines["refuse"]))}
		refusal.Credential = bearer.Credential{Kind: auth.KeyUserToken, Key: "k", User: "ann", Token: "t"}
		if _, ok := s.lines["entity"]; ok {
			refusal.Credential.Entity = "ght_old"
		}
		d.Refuse(w, r, refusal)
	})
}

func configure(t testing.TB, options string) dialect.Config {
	return dialecttest.Configure(t, entitytoken.Kind(), options)
}

// place is what the fake service answers to whoever may have it.
var place = session.Place{Tenant: "the entity", Account: "the user"}

// fakeService answers as a transcript says.
type fakeService struct {
	t     testing.TB
	lines map[string][]string
}

var _ entitytoken.Service = (*fakeService)(nil)

// line returns what is said of a call, and the error that it ends with.
func (s *fakeService) line(call string) ([]string, error) {
	line, ok := s.lines[call]
	switch {
	case !ok:
		s.t.Errorf("the service was called: %s", call)
		return nil, errors.New("not expected")
	case len(line) > 0 && line[0] == "fault":
		return nil, errors.New("select secret from sessions: boom")
	case len(line) > 1 && line[0] == "fail":
		return nil, dialecttest.Failure(s.t, line[1:])
	}
	return line, nil
}

// want fails the test unless a call was made with these words.
func (s *fakeService) want(call string, want []string, got ...string) {
	if !slices.Equal(got, want) {
		s.t.Errorf("%s was called with %q, want %q", call, got, want)
	}
}

func (s *fakeService) wantPlace(p session.Place) {
	if p.Tenant != place.Tenant || p.Account != place.Account {
		s.t.Errorf("called for %+v", p)
	}
}

func (s *fakeService) EntityPlace(_ context.Context, c bearer.Credential, entity, user string) (session.Place, error) {
	line, err := s.line("caller")
	if err != nil {
		return session.Place{}, err
	}
	if c.Kind != auth.KeyUserToken || c.Entity != "" {
		s.t.Errorf("called with a credential of kind %q, entity %q", c.Kind, c.Entity)
	}
	if !slices.Equal(line, []string{"ok"}) {
		s.want("caller", line, c.Key, c.User, c.Token, entity, user)
	}
	return place, nil
}

func (s *fakeService) token(call string, p session.Place) (session.EntityToken, error) {
	s.wantPlace(p)
	line, err := s.line(call)
	if err != nil {
		return session.EntityToken{}, err
	}
	return session.EntityToken{Token: auth.NewSecret(line[len(line)-1])}, nil
}

func (s *fakeService) EntityToken(_ context.Context, p session.Place) (session.EntityToken, error) {
	return s.token("get", p)
}

func (s *fakeService) CreateEntityToken(_ context.Context, p session.Place) (session.EntityToken, error) {
	return s.token("create", p)
}

func (s *fakeService) RefreshEntityToken(_ context.Context, p session.Place, old string) (session.EntityToken, error) {
	t, err := s.token("refresh", p)
	if err == nil {
		s.want("refresh", s.lines["refresh"][:1], old)
	}
	return t, err
}

func (s *fakeService) DeleteEntityToken(_ context.Context, p session.Place) error {
	s.wantPlace(p)
	_, err := s.line("delete")
	return err
}

func (s *fakeService) ChangeEntityToken(_ context.Context, p session.Place, c session.EntityTokenChange) error {
	s.wantPlace(p)
	line, err := s.line("change")
	if err != nil {
		return err
	}
	s.want("change", line, changed(c)...)
	return nil
}

// changed says in words what is changed.
func changed(c session.EntityTokenChange) []string {
	words := []string{"-"}
	if c.Expires != nil {
		words[0] = c.Expires.Format(time.RFC3339Nano)
	}
	if c.Flags != nil {
		words = append(append(words, "flags"), *c.Flags...)
	}
	return words
}
