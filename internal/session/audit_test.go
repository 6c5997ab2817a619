package session_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestEveryLoginIsAuditedOnceAndWhole(t *testing.T) {
	here := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		name  string
		login func(*world) (session.Issued, error)
		want  auth.Event
	}{
		{"a login by password", func(w *world) (session.Issued, error) {
			return w.password.LoginPassword(w.ctx, "ANN", auth.NewSecret(right))
		}, auth.Event{Dialect: "management", Name: "ANN", Subject: annID, OK: true}},
		{"a login by key", func(w *world) (session.Issued, error) {
			return w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
		}, auth.Event{Dialect: "timed_login", Name: "ann", Subject: annID, KeyID: 1, OK: true}},
		{"a wrong password", func(w *world) (session.Issued, error) {
			return w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(wrong))
		}, auth.Event{Dialect: "management", Name: "ann", Subject: annID, Code: auth.InvalidCredential, Reason: auth.ReasonPassword}},
		{"a wrong key", func(w *world) (session.Issued, error) {
			return w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(wrong))
		}, auth.Event{Dialect: "timed_login", Name: "ann", Subject: annID, Code: auth.InvalidCredential, Reason: auth.ReasonMismatch}},
		{"a name of nobody", func(w *world) (session.Issued, error) {
			return w.password.LoginPassword(w.ctx, "nobody", auth.NewSecret(wrong))
		}, auth.Event{Dialect: "management", Name: "nobody", Code: auth.InvalidCredential, Reason: auth.ReasonUnknown}},
		{"a disabled account", func(w *world) (session.Issued, error) {
			return w.password.LoginPassword(w.ctx, "bob", auth.NewSecret(right))
		}, auth.Event{Dialect: "management", Name: "bob", Subject: bobID, Code: auth.InvalidCredential, Reason: auth.ReasonDisabled}},
		{"a locked account", func(w *world) (session.Issued, error) {
			w.fail(5, "ann")
			return w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		}, auth.Event{Dialect: "management", Name: "ann", Subject: annID, Code: auth.Throttled, Reason: auth.ReasonAttempts}},
		{"a store out of reach", func(w *world) (session.Issued, error) {
			w.hooks.account = down
			return w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		}, auth.Event{Dialect: "management", Name: "ann", Code: auth.Unavailable, Reason: auth.ReasonStore}},
		{"a full hash queue", func(w *world) (session.Issued, error) {
			w.hasher.fail = auth.Fail(auth.Unavailable, auth.ReasonQueue, nil)
			return w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
		}, auth.Event{Dialect: "management", Name: "ann", Subject: annID, Code: auth.Unavailable, Reason: auth.ReasonQueue}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			issued, err := c.login(w)
			if (err == nil) != c.want.OK {
				t.Fatal(err)
			}
			c.want.Kind, c.want.Realm, c.want.Address, c.want.TokenID = auth.LoginEvent, realm, here, issued.ID
			got := w.last()
			if (got.Cause != nil) != (c.name == "a store out of reach") {
				t.Errorf("the cause is %v", got.Cause)
			}
			got.Cause = nil
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			wantNoSecret(t, printed(w.events), secretsOf(issued))
		})
	}
}

func TestEveryLoginAndRevocationIsCounted(t *testing.T) {
	w := newWorld(t)
	issued := w.login("ann")
	w.loginKey()
	w.fail(5, "bob")
	_, err := w.password.LoginPassword(w.ctx, "bob", auth.NewSecret(wrong))
	wantRefusal(t, err, auth.Throttled, auth.ReasonAttempts)
	must(t, w.password.Revoke(w.ctx, issued.Token.Reveal()))
	if n := len(w.events); n != 9 {
		t.Errorf("%d events", n)
	}
}

func TestALoginNameInTheAuditLogIsBounded(t *testing.T) {
	for name, sent := range map[string]string{
		"ASCII":               strings.Repeat("x", 5000),
		"long characters":     "x" + strings.Repeat("𝄞", 1000),
		"characters of three": strings.Repeat("あ", 1000),
		"broken UTF-8":        strings.Repeat("\x80", 5000),
		"just short enough":   strings.Repeat("y", 128),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, _ = w.password.LoginPassword(w.ctx, sent, auth.NewSecret(wrong))
			got := w.last().Name
			if len(got) > 128 || len(got) < 120 || !strings.HasPrefix(sent, got) {
				t.Errorf("%d bytes: %q", len(got), got)
			}
			if utf8.ValidString(sent) && !utf8.ValidString(got) {
				t.Errorf("a character was cut in two: %q", got)
			}
		})
	}
}
