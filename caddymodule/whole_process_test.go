package caddymodule

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// elsewhere manages the store of a running gateway as another process does:
// with a handle of its own, whose changes the gateway is not told of.
func elsewhere(t *testing.T, path string) *admin.Admin {
	t.Helper()
	rows, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	})
	return &admin.Admin{Store: rows, Hasher: password.New(password.Options{}), Now: time.Now, Realm: gateway.DefaultRealm}
}

func TestG4X04AChangeOfAnotherProcessBitesWithinASecond(t *testing.T) {
	w := start(t, "login management\nrequire /admin/* {\n\trole admin\n}")
	other := elsewhere(t, filepath.Join(w.dir, "gatehouse.db"))
	ctx := t.Context()
	if _, err := other.AddAccount(ctx, admin.NewAccount{
		Username: annName, Password: auth.NewSecret(annPassword), Roles: []string{"admin"},
	}); err != nil {
		t.Fatal(err)
	}
	keyRow, key, err := other.CreateKey(ctx, admin.NewKey{Account: annName})
	if err != nil {
		t.Fatal(err)
	}
	row, token, err := other.CreateToken(ctx, annName, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	byToken, byKey := bearerOf(token.Reveal()), "x-api-key: "+key.Reveal()
	login := bearerOf(w.login(annName, annPassword))

	// becomes waits until a cached caller gets another answer.
	becomes := func(t *testing.T, status int, path, field string) {
		t.Helper()
		began := time.Now()
		eventually(t, time.Second, "the change is known here", func() bool { return w.get(path, field).status == status })
		t.Logf("after %s", time.Since(began).Round(time.Millisecond))
	}
	w.run("what it adds is good at once", func(*testing.T) {
		for _, field := range []string{byToken, byKey, login} {
			w.passed(w.get("/admin/x", field))
		}
	})
	w.run("a token that it revokes is refused within a second", func(t *testing.T) {
		if _, err := other.RevokeToken(ctx, row.ID); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusUnauthorized, "/x", byToken)
		w.passed(w.get("/x", byKey))
	})
	w.run("a key that it revokes is", func(t *testing.T) {
		if _, err := other.RevokeKey(ctx, keyRow.ID); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusUnauthorized, "/x", byKey)
		w.passed(w.get("/x", login))
	})
	w.run("a role that it takes away is gone", func(t *testing.T) {
		if _, err := other.SetRoles(ctx, annName, nil); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusForbidden, "/admin/x", login)
	})
	w.run("an account that it disables is out, and has to log in again when it is back", func(t *testing.T) {
		if _, err := other.SetDisabled(ctx, annName, true); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusUnauthorized, "/x", login)
		if got := w.tryLogin(annName, annPassword); got.status != http.StatusUnauthorized {
			t.Error(got)
		}
		if _, err := other.SetDisabled(ctx, annName, false); err != nil {
			t.Fatal(err)
		}
		w.refused(w.get("/x", login), http.StatusUnauthorized)
		login = bearerOf(w.login(annName, annPassword))
		w.passed(w.get("/x", login))
	})
	w.run("a password that it changes ends the sessions of the old one", func(t *testing.T) {
		if _, err := other.SetPassword(ctx, annName, auth.NewSecret("another password")); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusUnauthorized, "/x", login)
		if got := w.tryLogin(annName, annPassword); got.status != http.StatusUnauthorized {
			t.Error(got)
		}
		login = bearerOf(w.login(annName, "another password"))
		w.passed(w.get("/x", login))
	})
	w.run("an account that it deletes is gone", func(t *testing.T) {
		if _, err := other.DeleteAccount(ctx, annName); err != nil {
			t.Fatal(err)
		}
		becomes(t, http.StatusUnauthorized, "/x", login)
	})
	w.run("and what is revoked here it sees at once", func(t *testing.T) {
		w.account(admin.NewAccount{Username: "bob"})
		row, token := w.token("bob", "")
		if _, err := other.Token(ctx, row.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.admin(gateway.DefaultRealm).RevokeToken(ctx, row.ID); err != nil {
			t.Fatal(err)
		}
		w.refused(w.get("/x", bearerOf(token)), http.StatusUnauthorized)
		if _, err := other.Token(ctx, row.ID); !auth.IsNotFound(err) {
			t.Error(err)
		}
	})
}
