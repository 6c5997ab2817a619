package logintoken

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	aliceID    = "5e0e4d0a-5a3c-4a39-9c3c-0a1b2c3d4e5f"
	identityID = "7f1c2b3a-4d5e-4f60-8a7b-9c0d1e2f3a4b"
	firstID    = "11111111-1111-4111-8111-111111111111"
	secondID   = "22222222-2222-4222-8222-222222222222"
	firstText  = "0123456789abcdef0123456789abcdef"
	secondText = "fedcba9876543210fedcba9876543210"
)

// jwt is the text of a JWT, signed by nobody.
func jwt(sub string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"EdDSA","kid":"k1","typ":"JWT"}`) + "." +
		part(`{"exp":1769914445,"iat":1767322445,"iss":"gatehouse:default","jti":"33333333-3333-4333-8333-333333333333","sub":"`+sub+`"}`) +
		".c2lnbmF0dXJl"
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func samples() []session.LoginToken {
	return []session.LoginToken{
		{
			ID: firstID, Token: auth.NewSecret(firstText), Identity: identityID,
			Created: at, Updated: at, Expires: at.Add(10 * time.Minute),
		},
		{
			ID: secondID, Token: auth.NewSecret(secondText), Identity: identityID, Associate: aliceID,
			Created: at.Add(time.Second), Updated: at.Add(time.Hour), Expires: at.Add(24 * time.Hour),
		},
	}
}

// fake is a session service that does as a transcript's outcome says. Each of
// its lines is a call and how it ends:
//
//	caller|identity|create|find|change|remove|redeem|login|revoke|refuse <code> [reason] [retry=<duration>] [life]
//	caller ok <role…>
//	find|change|remove ok <n>       so many records, none of them without
//
// A call without a line succeeds, with one record.
type fake struct {
	t        testing.TB
	outcomes map[string][]string
	// asked lists the calls, with what they were given.
	asked  []string
	query  session.Query
	change session.LoginTokenChange
}

var fakeCalls = []string{"caller", "identity", "create", "find", "change", "remove", "redeem", "login", "revoke", "refuse"}

func newFake(t testing.TB, outcome string) *fake {
	f := &fake{t: t, outcomes: map[string][]string{}}
	for _, words := range dialecttest.Lines(t, outcome) {
		if len(words) < 2 || !slices.Contains(fakeCalls, words[0]) {
			t.Fatalf("outcome %q says nothing", words)
		}
		f.outcomes[words[0]] = words[1:]
	}
	return f
}

// called notes a call and returns how it ends.
func (f *fake) called(call string, given ...any) error {
	f.asked = append(f.asked, strings.TrimSpace(call+" "+fmt.Sprintln(given...)))
	return f.err(call)
}

func (f *fake) err(call string) error {
	words := slices.Clone(f.outcomes[call])
	if len(words) == 0 || words[0] == "ok" {
		return nil
	}
	life := slices.Index(words, "life")
	if life < 0 {
		return dialecttest.Failure(f.t, words)
	}
	e := auth.AsError(dialecttest.Failure(f.t, slices.Delete(words, life, life+1)))
	e.Err = errors.Join(session.ErrLife, e.Err)
	return e
}

// some returns as many records as a call is to find.
func (f *fake) some(call string) []session.LoginToken {
	n := 1
	if words := f.outcomes[call]; len(words) > 0 {
		n = 0
		if len(words) > 1 {
			n, _ = strconv.Atoi(words[1])
		}
	}
	return samples()[:n]
}

func (f *fake) Resolve(_ context.Context, c bearer.Credential) (*auth.Principal, error) {
	if err := f.called("caller", c.Kind, c.Token, c.Key); err != nil {
		return nil, err
	}
	p := &auth.Principal{Subject: aliceID, TokenID: "33333333-3333-4333-8333-333333333333", Permissions: auth.AllPermissions}
	if words := f.outcomes["caller"]; len(words) > 1 {
		p.Roles = words[1:]
	}
	return p, nil
}

func (f *fake) IdentityOf(_ context.Context, p *auth.Principal) (session.Identity, error) {
	i := session.Identity{ID: identityID, Type: "password", Account: p.Subject, Created: at, Updated: at.Add(time.Hour)}
	return i, f.called("identity", p.Subject)
}

func (f *fake) Revoke(_ context.Context, token string) error { return f.called("revoke", token) }

func (f *fake) LoginPassword(_ context.Context, username string, password auth.Secret) (session.Issued, error) {
	if err := f.called("login", username, password.Reveal()); err != nil {
		return session.Issued{}, err
	}
	return session.Issued{Token: auth.NewSecret(jwt(identityID)), Principal: &auth.Principal{Subject: aliceID}}, nil
}

func (f *fake) Redeem(_ context.Context, id string, text auth.Secret, associate bool) (session.Issued, error) {
	if err := f.called("redeem", id, text.Reveal(), associate); err != nil {
		return session.Issued{}, err
	}
	return session.Issued{Token: auth.NewSecret(jwt(identityID)), Principal: &auth.Principal{Subject: aliceID}}, nil
}

func (f *fake) CreateLoginTokens(_ context.Context, _ *auth.Principal, associates ...string) ([]session.LoginToken, error) {
	err := f.called("create", len(associates))
	if err != nil {
		return nil, err
	}
	made := make([]session.LoginToken, len(associates))
	for i, a := range associates {
		made[i] = samples()[i%2]
		made[i].Associate = a
	}
	return made, nil
}

func (f *fake) LoginTokens(_ context.Context, _ *auth.Principal, q session.Query) ([]session.LoginToken, int, error) {
	f.query = q
	if err := f.called("find"); err != nil {
		return nil, 0, err
	}
	return f.some("find"), 41 + len(f.some("find")), nil
}

func (f *fake) ChangeLoginToken(_ context.Context, _ *auth.Principal, id string, q session.Query, c session.LoginTokenChange) (session.LoginToken, error) {
	f.query, f.change = q, c
	if err := f.called("change", id); err != nil {
		return session.LoginToken{}, err
	}
	return samples()[0], nil
}

func (f *fake) ChangeLoginTokens(_ context.Context, _ *auth.Principal, q session.Query, c session.LoginTokenChange) ([]session.LoginToken, error) {
	f.query, f.change = q, c
	if err := f.called("change"); err != nil {
		return nil, err
	}
	return f.some("change"), nil
}

func (f *fake) RemoveLoginTokens(_ context.Context, _ *auth.Principal, q session.Query) ([]session.LoginToken, error) {
	f.query = q
	if err := f.called("remove"); err != nil {
		return nil, err
	}
	return f.some("remove"), nil
}

// build makes the dialect of a transcript.
func build(t testing.TB, options, outcome string) http.Handler {
	f := newFake(t, outcome)
	a := newAPI(t, options, f)
	if f.outcomes["refuse"] == nil {
		return a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := credential.Read(r)
		a.Refuse(w, r, dialect.Refusal{Err: auth.AsError(f.err("refuse")), Credential: c})
	})
}

// newAPI reads options as a login block would hold them.
func newAPI(t testing.TB, options string, s Service) *api {
	t.Helper()
	d, err := New(config(t, options), s)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*api)
}

func config(t testing.TB, options string) dialect.Config {
	return dialecttest.Configure(t, Kind(), options)
}
