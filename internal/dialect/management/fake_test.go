package management

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// fake is a session service that does as a transcript's outcome says. Each of
// its lines is a call, how it ends and what more there is to say:
//
//	login|user|change|revoke|refuse <code> [reason] [retry=<duration>]
//	token|key ok <subject> [permission…]
//	token|key <code> [reason] [retry=<duration>]
//
// A call without a line succeeds, a credential without one is alice's.
type fake struct {
	t        testing.TB
	outcomes map[string][]string
	user     session.User
	// revoked, changed and logins are what was asked for.
	revoked []string
	changed *session.ProfileChange
	logins  []string
}

func newFake(t testing.TB, outcome string) *fake {
	f := &fake{t: t, outcomes: map[string][]string{}, user: alice()}
	for _, words := range dialecttest.Lines(t, outcome) {
		if len(words) < 2 || !slices.Contains([]string{"login", "token", "key", "user", "change", "revoke", "refuse"}, words[0]) {
			t.Fatalf("outcome %q says nothing", words)
		}
		f.outcomes[words[0]] = words[1:]
	}
	return f
}

// err returns how a call ends.
func (f *fake) err(call string) error {
	words := f.outcomes[call]
	if len(words) == 0 || words[0] == "ok" {
		return nil
	}
	return dialecttest.Failure(f.t, words)
}

func (f *fake) LoginPassword(_ context.Context, username string, password auth.Secret) (session.Issued, error) {
	f.logins = append(f.logins, username+":"+password.Reveal())
	if err := f.err("login"); err != nil {
		return session.Issued{}, err
	}
	return session.Issued{
		Token: auth.NewSecret("dG9rZW4gb2YgYWxpY2UgMQ"), TTL: 30 * time.Minute,
		Principal: &auth.Principal{Subject: alice().ID},
	}, nil
}

func (f *fake) Resolve(_ context.Context, c bearer.Credential) (*auth.Principal, error) {
	call := "token"
	if c.Kind == auth.APIKey {
		call = "key"
	}
	if err := f.err(call); err != nil {
		return nil, err
	}
	p := &auth.Principal{Subject: alice().ID, Permissions: auth.AllPermissions, Credential: c.Kind}
	if words := f.outcomes[call]; len(words) > 1 {
		p.Subject, p.Permissions = words[1], 0
		for _, word := range words[2:] {
			bit, _ := auth.ParsePermission(word)
			p.Permissions |= bit
		}
	}
	return p, nil
}

func (f *fake) Revoke(_ context.Context, token string) error {
	f.revoked = append(f.revoked, token)
	return f.err("revoke")
}

func (f *fake) User(context.Context, *auth.Principal) (session.User, error) {
	if err := f.err("user"); err != nil {
		return session.User{}, err
	}
	return f.user, nil
}

// ChangeUser changes as the session service does.
func (f *fake) ChangeUser(_ context.Context, _ *auth.Principal, c session.ProfileChange) (session.User, error) {
	if err := f.err("change"); err != nil {
		return session.User{}, err
	}
	f.changed = &c
	if c.Email != nil {
		f.user.Email = *c.Email
	}
	c.Profile(&f.user.Profile)
	for _, s := range c.Settings {
		for i := range f.user.Settings {
			if known := &f.user.Settings[i]; known.ID == s.ID && !known.ReadOnly {
				known.Value = s.Value
			}
		}
	}
	return f.user, nil
}

func alice() session.User {
	born := time.Date(1990, 2, 28, 0, 0, 0, 0, time.UTC)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	return session.User{
		ID: "5e0e4d0a-5a3c-4a39-9c3c-0a1b2c3d4e5f", Username: "alice", Email: "alice@example.com",
		Roles: []string{"admin", "user"}, Created: at, Updated: at, LastLogin: at,
		Profile: session.Profile{
			PhoneNumber: "+1 555 0100", Title: "Dr", FirstName: "Alice", LastName: "<Liddell> & Söhne",
			BirthDate: &born, Rank: 7, Image: []byte{1, 2, 3}, City: "Oxford", Country: "UK", CustomerID: 42,
		},
		Settings: []session.Setting{
			{ID: 1, Category: "ui", Group: "main", Name: "theme", Value: "dark", Type: "string", Description: "How it looks"},
			{ID: 2, Category: "licence", Group: "main", Name: "seats", Value: "5", Type: "int", ReadOnly: true},
		},
		Keys: []session.Key{{
			ID: 9, Name: "build", Shown: "api_…wxyz", Owner: "5e0e4d0a-5a3c-4a39-9c3c-0a1b2c3d4e5f",
			Created: at, Expires: at.AddDate(1, 0, 0), Permissions: auth.Read | auth.Write, Description: "for the build",
		}},
	}
}

// build makes the dialect of a transcript.
func build(t testing.TB, options, outcome string) http.Handler {
	f := newFake(t, outcome)
	a := newAPI(t, options, f)
	if f.outcomes["refuse"] == nil {
		return a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Refuse(w, r, dialect.Refusal{Err: auth.AsError(f.err("refuse"))})
	})
}

// newAPI reads options as a login block would hold them, and base and max_body.
func newAPI(t testing.TB, options string, s Service) *api {
	t.Helper()
	d, err := New(dialecttest.Configure(t, Kind(), options), s)
	if err != nil {
		t.Fatal(err)
	}
	a := d.(*api)
	a.random = func(b []byte) {
		for i := range b {
			b[i] = byte(i)
		}
	}
	return a
}
