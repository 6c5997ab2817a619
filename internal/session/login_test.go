package session_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestALoginTakesEveryNameOfAnAccountInAnySpelling(t *testing.T) {
	for _, name := range []string{
		"Ann", "ann", "ANN", "ａｎｎ", // the last is full width
		"Ann@Example.com", "ann@EXAMPLE.COM",
		annID, strings.ToUpper(annID),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			issued := w.login(name)
			p, err := w.resolve(issued.Token)
			must(t, err)
			if p.Subject != annID || p.Username != "Ann" || p.TokenID != issued.ID || p.Dialect != "management" {
				t.Errorf("the token is one of %+v", p)
			}
		})
	}
}

func TestALoginSaysWhatItIssued(t *testing.T) {
	w := newWorld(t)
	before := store.Precise(w.now())
	issued := w.login("ann")
	if issued.TTL.Minutes() != 30 || !issued.Expires.Equal(issued.Issued.Add(issued.TTL)) || issued.Issued.Before(before) {
		t.Errorf("issued %v, expires %v, lives %v", issued.Issued, issued.Expires, issued.TTL)
	}
	row, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: issued.ID})
	must(t, err)
	if !row.Digest.Equal(auth.DigestOf(issued.Token.Reveal())) || row.Subject != annID || row.Kind != store.AccessToken ||
		!row.Expires.Equal(issued.Expires) || len(row.Sealed) != 0 || row.Slot != "" {
		t.Errorf("stored is %+v", row)
	}
	a, err := w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	if !a.LastLogin.Equal(row.Issued) {
		t.Errorf("the last login was %v", a.LastLogin)
	}
}

func TestTwoLoginsNeverGiveOneToken(t *testing.T) {
	w := newWorld(t)
	a, b := w.login("ann"), w.login("ann")
	if a.Token.Equal(b.Token) || a.ID == b.ID {
		t.Error("two logins gave one token or one id")
	}
}

// TestARefusedLoginIsOneCodeAndOneHashWhateverTheCause: neither the answer nor
// the work tells which accounts exist.
func TestARefusedLoginIsOneCodeAndOneHashWhateverTheCause(t *testing.T) {
	for _, c := range []struct {
		name, username, password string
		reason                   auth.Reason
	}{
		{"nobody has the name", "nobody", right, auth.ReasonUnknown},
		{"the name cannot be one", "a b\x00c", right, auth.ReasonUnknown},
		{"the name is empty", "", right, auth.ReasonUnknown},
		{"the name is too long", strings.Repeat("x", 5000), right, auth.ReasonUnknown},
		{"the account has no password", "carol", right, auth.ReasonUnknown},
		{"the account has no password and none is sent", "carol", "", auth.ReasonUnknown},
		{"the password is wrong", "ann", wrong, auth.ReasonPassword},
		{"the password is empty", "ann", "", auth.ReasonPassword},
		{"the password is too long", "ann", strings.Repeat("x", password.MaxLength+1), auth.ReasonPassword},
		{"the account is disabled", "bob", right, auth.ReasonDisabled},
		{"the account is disabled and the password wrong", "bob", wrong, auth.ReasonPassword},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			issued, err := w.password.LoginPassword(w.ctx, c.username, auth.NewSecret(c.password))
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			wantNothing(t, issued)
			if n := w.hasher.work.Load(); n != 1 {
				t.Errorf("%d hashes were worked out", n)
			}
			if n := w.sessions(); n != 0 {
				t.Errorf("%d tokens are stored", n)
			}
		})
	}
}

func TestAPasswordCountsAsTheBytesThatWereSent(t *testing.T) {
	w := newWorld(t)
	for _, other := range []string{right + " ", " " + right, right + "\x00", strings.ToUpper(right)} {
		_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(other))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonPassword)
		w.login("ann") // clears the counter
	}
}

func TestAStoredHashIsNoPassword(t *testing.T) {
	w := newWorld(t)
	a, err := w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	_, err = w.password.LoginPassword(w.ctx, "ann", a.Password)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonPassword)
}

func TestAnAccountOfAnotherRealmIsNobodyHere(t *testing.T) {
	w := newWorld(t)
	elsewhere := w.service(session.Config{Realm: "elsewhere", Dialect: "management"})
	issued, err := elsewhere.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	wantNothing(t, issued)
}

func TestALoginFromOffTheAllowListFailsAfterThePasswordWasRight(t *testing.T) {
	w := newWorld(t)
	w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(wrong))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonPassword)
	_, err = w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
	w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("::ffff:10.1.2.3"))
	w.login("ann")
	w.ctx = session.WithAddress(w.ctx, netip.Addr{})
	_, err = w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
}

// TestATokenIsDurableBeforeItIsAnswered: where the row cannot be kept there is
// no answer.
func TestATokenIsDurableBeforeItIsAnswered(t *testing.T) {
	for name, login := range map[string]func(*world) (session.Issued, error){
		"a login by password": func(w *world) (session.Issued, error) {
			return w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		},
		"a login by key": func(w *world) (session.Issued, error) {
			return w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
		},
		"a login for a JWT": func(w *world) (session.Issued, error) {
			return w.service(session.Config{Dialect: "management", JWT: true}).LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks.insert = down
			issued, err := login(w)
			wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
			wantNothing(t, issued)
			if e := w.last(); e.OK || e.Code != auth.Unavailable || e.TokenID != "" {
				t.Errorf("audited was %+v", e)
			}
			w.hooks.insert = nil
			issued, err = login(w)
			must(t, err)
			if _, err := w.resolve(issued.Token); err != nil {
				t.Errorf("what was answered does not resolve: %v", err)
			}
		})
	}
}

func TestAStoreOutOfReachIsNoFaultOfTheCaller(t *testing.T) {
	w := newWorld(t)
	w.hooks.account = down
	for _, name := range []string{"ann", "nobody"} {
		_, err := w.password.LoginPassword(w.ctx, name, auth.NewSecret(right))
		wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	}
	if n := w.hasher.work.Load(); n != 0 {
		t.Errorf("%d hashes were worked out for nothing", n)
	}
}

func TestAFullHashQueueIsNoFaultOfTheCaller(t *testing.T) {
	w := newWorld(t)
	w.hasher.fail = auth.Fail(auth.Unavailable, auth.ReasonQueue, nil)
	for _, name := range []string{"ann", "nobody", "carol", "bob"} {
		issued, err := w.password.LoginPassword(w.ctx, name, auth.NewSecret(right))
		wantRefusal(t, err, auth.Unavailable, auth.ReasonQueue)
		wantNothing(t, issued)
	}
}

// outdated stores ann's password as a hash of less work than is asked for now.
func (w *world) outdated() {
	w.changeAccount(annID, func(a *store.Account) { a.Password = w.hash(right) })
	better := cost
	better.Time = 2
	w.hasher.Hasher = password.New(better)
}

func TestAnOldHashIsMadeAnewOnceByALogin(t *testing.T) {
	w := newWorld(t)
	w.outdated()
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(wrong))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonPassword)
	if w.hasher.made.Load() != 0 {
		t.Fatal("a wrong password was made a hash of")
	}
	for range 3 {
		issued := w.login("ann")
		if _, err := w.resolve(issued.Token); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.hasher.made.Load(); n != 1 {
		t.Errorf("%d hashes were made", n)
	}
	a, err := w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	if w.hasher.Outdated(a.Password) {
		t.Error("the old hash is still stored")
	}
}

func TestALoginDoesNotFailBecauseItsHashCannotBeMadeAnew(t *testing.T) {
	w := newWorld(t)
	w.outdated()
	w.hooks.update = down
	w.login("ann")
	w.hooks.update = nil
	w.login("ann")
	if n := w.hasher.made.Load(); n != 2 {
		t.Errorf("%d hashes were made", n)
	}
}

func TestAHashThatCannotBeReadIsAFaultOfOurs(t *testing.T) {
	w := newWorld(t)
	w.changeAccount(annID, func(a *store.Account) { a.Password = auth.NewSecret("$broken$hash") })
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	if err == nil || auth.CodeOf(err) != auth.Internal {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "broken") {
		t.Error("the error quotes the stored hash")
	}
}

func TestAnErrorOfALoginHoldsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.hooks.insert = func() error { return errors.New("a fault nobody classified") }
	_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
	if auth.CodeOf(err) != auth.Internal {
		t.Errorf("got %v", err)
	}
	wantNoSecret(t, err.Error(), secretsOf())
}
