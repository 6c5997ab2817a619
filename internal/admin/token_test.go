package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestATokenIsFoundByItselfOrItsAccessorNeverByEither(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	row, text, err := d.CreateToken(t.Context(), "joe", "", time.Hour)
	d.must(err)
	if !row.Expires.Equal(d.now.Add(time.Hour)) || row.Tenant != "" {
		t.Errorf("the token is %+v", row)
	}
	if got, err := d.TokenOf(t.Context(), text); err != nil || got.ID != row.ID {
		t.Errorf("by itself: %+v, %v", got, err)
	}
	if got, err := d.Token(t.Context(), row.ID); err != nil || !got.Digest.Equal(auth.DigestOf(text.Reveal())) {
		t.Errorf("by its accessor: %+v, %v", got, err)
	}
	_, err = d.Token(t.Context(), text.Reveal())
	d.fails(err, auth.NotFound, "there is no such token")
	if strings.Contains(err.Error(), text.Reveal()) {
		t.Error("the error repeats the token")
	}
	_, err = d.TokenOf(t.Context(), auth.NewSecret(row.ID))
	d.fails(err, auth.NotFound, "")
}

func TestATokenInTheFormOfAGUIDIsFoundInEitherCase(t *testing.T) {
	d := newDesk(t)
	const text = "a45a039c-eb31-46f1-9ece-88aa5ccfe22c"
	d.must(d.Store.Sessions.InsertSession(t.Context(), store.Session{
		ID: "guid", Realm: "default", Digest: auth.DigestOf(text), Kind: store.AccessToken,
		Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour),
	}))
	got, err := d.TokenOf(t.Context(), auth.NewSecret(strings.ToUpper(text)))
	if err != nil || got.ID != "guid" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhoCannotHaveAToken(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.account("off")
	d.tenant("Acme")
	_, err := d.SetDisabled(t.Context(), "off", true)
	d.must(err)
	for name, c := range map[string]struct {
		account, tenant string
		ttl             time.Duration
		code            auth.Code
		words           string
	}{
		"nobody":                    {"bob", "", 0, auth.NotFound, `no account "bob"`},
		"a disabled account":        {"off", "", 0, auth.Conflict, "is disabled"},
		"a stranger to the tenant":  {"joe", "Acme", 0, auth.Conflict, "no member"},
		"in a tenant that is not":   {"joe", "Initech", 0, auth.NotFound, "no tenant"},
		"one that is over at birth": {"joe", "", -time.Second, auth.Malformed, "cannot live for -1s"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Admin: d.Admin, now: d.now}
			_, text, err := d.CreateToken(t.Context(), c.account, c.tenant, c.ttl)
			d.fails(err, c.code, c.words)
			if !text.Empty() {
				t.Error("a token is handed out all the same")
			}
		})
	}
}

func TestOnlyTokensThatAreGoodAreListed(t *testing.T) {
	d := newDesk(t)
	joe := d.account("joe")
	d.account("anna")
	first := d.token("joe")
	d.now = d.now.Add(time.Minute)
	second := d.token("joe")
	d.token("anna")
	for id, edit := range map[string]func(*store.Session){
		"idle":    func(s *store.Session) { s.Idle, s.Updated = time.Second, d.now.Add(-2*time.Second) },
		"expired": func(s *store.Session) { s.Expires = d.now.Add(-time.Second) },
		"used":    func(s *store.Session) { s.Retired = d.now },
	} {
		row := store.Session{
			ID: id, Realm: "default", Digest: auth.DigestOf(id), Subject: joe.ID, Kind: store.AccessToken,
			Issued: d.now, Updated: d.now.Add(-time.Second), Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour),
		}
		edit(&row)
		d.must(d.Store.Sessions.InsertSession(t.Context(), row))
		if d.Live(row) {
			t.Errorf("the %s one is said to be good", id)
		}
	}
	var ids []string
	d.must(d.Tokens(t.Context(), "joe", func(s store.Session) error { ids = append(ids, s.ID); return nil }))
	if len(ids) != 2 || ids[0] != second.ID || ids[1] != first.ID {
		t.Errorf("listed: %v, want %s and %s", ids, second.ID, first.ID)
	}
	all := 0
	d.must(d.Tokens(t.Context(), "", func(store.Session) error { all++; return nil }))
	if all != 3 {
		t.Errorf("%d tokens in all", all)
	}
	d.now = d.now.Add(admin.DefaultTTL)
	d.must(d.Tokens(t.Context(), "", func(s store.Session) error { t.Errorf("%s is past its time", s.ID); return nil }))
}

// TestATokenThatExpiredIsRememberedForAWeek: a client is told other things of it
// than of one that never was.
func TestATokenThatExpiredIsRememberedForAWeek(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	row, text, err := d.CreateToken(t.Context(), "joe", "", time.Hour)
	d.must(err)
	for _, after := range []time.Duration{time.Hour, 7*24*time.Hour - time.Millisecond} {
		d.now = d.now.Add(after)
		got, err := d.TokenOf(t.Context(), text)
		d.must(err)
		if got.ID != row.ID || d.Live(got) {
			t.Errorf("after %v: %+v", after, got)
		}
	}
	d.now = d.now.Add(time.Millisecond)
	d.gone(row)
}

func TestATokenThatExpiredIsNotCountedAmongThoseRevoked(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	brief, _, err := d.CreateToken(t.Context(), "joe", "", time.Hour)
	d.must(err)
	d.token("joe")
	d.token("joe")
	d.now = d.now.Add(time.Hour)
	n, err := d.RevokeTokens(t.Context(), "joe")
	d.must(err)
	if n != 2 {
		t.Errorf("%d tokens were revoked", n)
	}
	d.gone(brief)
}

func TestAllTokensOfARealmGoAndNoneOfAnother(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.account("ann")
	key, _ := d.key(admin.NewKey{Gateway: true, Name: "of nobody"})
	d.token("joe")
	d.token("joe")
	d.token("ann")
	for realm, subject := range map[string]string{"default": authn.KeySubject(key.ID), "other": "other"} {
		d.must(d.Store.Sessions.InsertSession(t.Context(), store.Session{
			ID: realm, Realm: realm, Subject: subject, Digest: auth.DigestOf(realm),
			Kind: store.AccessToken, Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour),
		}))
	}
	steps := 0
	n, err := d.RevokeAllTokens(t.Context(), func(int) { steps++ })
	d.must(err)
	left, _, err := d.Store.Sessions.FindSessions(t.Context(), "default", store.SessionQuery{})
	d.must(err)
	if n != 4 || steps != 3 || len(left) != 0 {
		t.Errorf("%d were revoked in %d steps, and %d are left", n, steps, len(left))
	}
	if _, err := d.Store.Sessions.Session(t.Context(), "other", store.SessionRef{ID: "other"}); err != nil {
		t.Errorf("that of another realm: %v", err)
	}
}

func TestARevokedTokenIsGone(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	row := d.token("joe")
	_, err := d.RevokeToken(t.Context(), row.ID)
	d.must(err)
	d.gone(row)
	_, err = d.RevokeToken(t.Context(), row.ID)
	d.fails(err, auth.NotFound, "there is no such token")
	other := *d.Admin
	other.Realm = "other"
	row = d.token("joe")
	_, err = other.RevokeToken(t.Context(), row.ID)
	d.fails(err, auth.NotFound, "")
}

func TestWithARefreshTokenGoesItsFamily(t *testing.T) {
	for kind, gone := range map[store.SessionKind]int{store.RefreshToken: 2, store.EntityToken: 2, store.AccessToken: 1, store.OneTimeToken: 1} {
		t.Run(string(kind), func(t *testing.T) {
			d := newDesk(t)
			row := func(id string, kind store.SessionKind, family string) {
				d.must(d.Store.Sessions.InsertSession(t.Context(), store.Session{
					ID: id, Realm: "default", Digest: auth.DigestOf(id), Kind: kind, Dialect: "oauth2", Family: family,
					Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour),
				}))
			}
			row("revoked", kind, "f")
			row("relative", store.AccessToken, "f")
			row("stranger", kind, "g")
			_, err := d.RevokeToken(t.Context(), "revoked")
			d.must(err)
			left, _, err := d.Store.Sessions.FindSessions(t.Context(), "default", store.SessionQuery{})
			d.must(err)
			if len(left) != 3-gone {
				t.Errorf("%d of 3 are left, want %d", len(left), 3-gone)
			}
		})
	}
}
