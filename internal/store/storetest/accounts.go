package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Accounts holds a backend to its part of the contract.
func Accounts(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"an account comes back as it went in, by each of its names", accountRoundTrip},
		{"an account with nothing but names comes back so", accountBare},
		{"an account that is not there is not found", accountAbsent},
		{"names are kept as typed and found in any spelling", accountSpellings},
		{"a name that is taken in any spelling or kind is a conflict", accountNameTaken},
		{"one account may use a name twice", accountOwnName},
		{"an account without names, or with what cannot be one, is malformed", accountMalformed},
		{"an update replaces the row and adds one to its version", accountUpdate},
		{"an update frees the names that are given up and takes the new ones", accountRename},
		{"an update of another version is a conflict and changes nothing", accountStale},
		{"an update of an account that is gone is not found", accountUpdateAbsent},
		{"an update to a taken name is a conflict and changes nothing", accountUpdateTaken},
		{"a touch sets the last login where it is later, no new version and no change", accountTouch},
		{"a delete is idempotent and frees the names", accountDelete},
		{"a realm neither shows nor touches the accounts of another", accountRealms},
		{"accounts are listed by folded username, page by page", accountList},
		{"creation records no change, an update and a delete one of the subject", accountChanges},
		{"a caller may change what it was given", accountCopies},
		{"odd text comes back as it went in or is refused", accountOddText},
		{"lists keep their order and each of their elements", accountLists},
		{"times are kept to the millisecond in UTC, and the epoch is not the zero time", accountTimes},
	})
}

func accountRoundTrip(t *testing.T, f *fixture) {
	a := fullAccount(f.clock, "ana")
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	for range 2 {
		for _, ref := range []string{a.ID, a.Username, a.Email} {
			want(t, f.account(t, ref), a)
		}
		f.reopen(t)
	}
	got := f.account(t, "ana")
	if got.Password.Reveal() != a.Password.Reveal() {
		t.Fatal("the password hash is another")
	}
}

func accountBare(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")[0]
	want(t, f.account(t, a.ID), a)
	refused(t, f.lookup(t, ""), auth.NotFound)
}

func accountAbsent(t *testing.T, f *fixture) {
	f.insertAccounts(t, "ana")
	for _, ref := range []string{"", "an", "anaa", "ana%", "a_a", "*", uuid.NewString(), "ana ", strings.Repeat("a", 1<<16)} {
		refused(t, f.lookup(t, ref), auth.NotFound)
	}
	for _, odd := range oddStrings() {
		refused(t, f.lookup(t, odd), auth.NotFound)
	}
}

func accountSpellings(t *testing.T, f *fixture) {
	a := account("Admin")
	a.Email = "Root@Example.com"
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	refs := []string{"admin", "ADMIN", "ＡＤＭＩＮ", "adＭin", "root@example.COM", "ｒoot@example.com", strings.ToUpper(a.ID)}
	for _, ref := range refs {
		want(t, f.account(t, ref), a)
	}
	for _, other := range []string{"аdmin", "admın"} { // Cyrillic a; dotless i
		refused(t, f.lookup(t, other), auth.NotFound)
	}
}

func accountNameTaken(t *testing.T, f *fixture) {
	taken := account("Admin")
	taken.Email = "Root@Example.com"
	ok(t, f.Accounts.InsertAccount(t.Context(), taken))
	for name, change := range map[string]func(*store.Account){
		"the username":            func(a *store.Account) { a.Username = "Admin" },
		"the username, wide":      func(a *store.Account) { a.Username = "ＡＤＭＩＮ" },
		"the email as username":   func(a *store.Account) { a.Username = "rOOT@example.com" },
		"the id as username":      func(a *store.Account) { a.Username = strings.ToUpper(taken.ID) },
		"the email":               func(a *store.Account) { a.Email = "root@EXAMPLE.com" },
		"the username as email":   func(a *store.Account) { a.Email = "aDMIN" },
		"the id as email":         func(a *store.Account) { a.Email = taken.ID },
		"the id":                  func(a *store.Account) { a.ID = taken.ID },
		"the id in upper case":    func(a *store.Account) { a.ID = strings.ToUpper(taken.ID) },
		"the username as id":      func(a *store.Account) { a.ID = "admin" },
		"the email as id, folded": func(a *store.Account) { a.ID = "root@example.com" },
	} {
		a := account("somebody")
		change(&a)
		if err := f.Accounts.InsertAccount(t.Context(), a); err == nil || auth.CodeOf(err) != auth.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	rows, err := f.Accounts.ListAccounts(t.Context(), home, store.Page{})
	ok(t, err)
	want(t, rows, []store.Account{taken})
	refused(t, f.lookup(t, "somebody"), auth.NotFound)
}

func accountOwnName(t *testing.T, f *fixture) {
	a := account("ana@example.com")
	a.Email = "Ana@Example.com"
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	want(t, f.account(t, "ana@example.com"), a)
	a.Email = ""
	ok(t, f.Accounts.UpdateAccount(t.Context(), a))
	want(t, f.account(t, "ana@example.com").Email, "")
}

func accountMalformed(t *testing.T, f *fixture) {
	existing := f.insertAccounts(t, "ana")[0]
	for name, change := range map[string]func(*store.Account){
		"no realm":                func(a *store.Account) { a.Realm = "" },
		"no username":             func(a *store.Account) { a.Username = "" },
		"a space":                 func(a *store.Account) { a.Username = "a b" },
		"a NUL":                   func(a *store.Account) { a.Username = "a\x00b" },
		"a zero-width space":      func(a *store.Account) { a.Username = "a\u200bb" },
		"an override":             func(a *store.Account) { a.Username = "a\u202eb" },
		"broken UTF-8":            func(a *store.Account) { a.Username = "a\xffb" },
		"a very long name":        func(a *store.Account) { a.Username = strings.Repeat("a", 257) },
		"an email that is none":   func(a *store.Account) { a.Email = "a b@example.com" },
		"an email that is spaces": func(a *store.Account) { a.Email = " " },
		"too many roles":          func(a *store.Account) { a.Roles = tooMany() },
	} {
		inserted, updated := account("bo"), existing
		change(&inserted)
		change(&updated)
		if err := f.Accounts.InsertAccount(t.Context(), inserted); err == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("insert with %s: got %v, want malformed", name, err)
		}
		if err := f.Accounts.UpdateAccount(t.Context(), updated); err == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("update with %s: got %v, want malformed", name, err)
		}
	}
	a := account("bo")
	a.ID = ""
	refused(t, f.Accounts.InsertAccount(t.Context(), a), auth.Malformed)
	want(t, f.account(t, "ana"), existing)
}

func accountUpdate(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	full := fullAccount(f.clock, "ana")
	full.ID, full.Version = a.ID, a.Version
	ok(t, f.Accounts.UpdateAccount(t.Context(), full))
	full.Version++
	want(t, f.account(t, a.ID), full)

	a.Version = full.Version
	ok(t, f.Accounts.UpdateAccount(t.Context(), a))
	a.Version++
	f.reopen(t)
	want(t, f.account(t, a.ID), a)
}

func accountRename(t *testing.T, f *fixture) {
	a := account("old")
	a.Email = "old@example.com"
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	a.Username, a.Email = "new", "new@example.com"
	ok(t, f.Accounts.UpdateAccount(t.Context(), a))
	for _, gone := range []string{"old", "old@example.com"} {
		refused(t, f.lookup(t, gone), auth.NotFound)
	}
	want(t, f.account(t, "new@example.com").ID, a.ID)
	b := f.insertAccounts(t, "old")[0]
	want(t, f.account(t, "old").ID, b.ID)
	refused(t, f.Accounts.InsertAccount(t.Context(), account("NEW")), auth.Conflict)
}

func accountStale(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	for _, version := range []int64{a.Version - 1, a.Version + 1} {
		stale := a
		stale.Version, stale.Disabled, stale.Username = version, true, "bo"
		f.records(t, nil, func() {
			refused(t, f.Accounts.UpdateAccount(t.Context(), stale), auth.Conflict)
		})
	}
	want(t, f.account(t, "ana"), a)
	refused(t, f.lookup(t, "bo"), auth.NotFound)
}

func accountUpdateAbsent(t *testing.T, f *fixture) {
	refused(t, f.Accounts.UpdateAccount(t.Context(), account("ana")), auth.NotFound)
	refused(t, f.lookup(t, "ana"), auth.NotFound)
}

func accountUpdateTaken(t *testing.T, f *fixture) {
	rows := f.insertAccounts(t, "ana", "bo")
	a := rows[0]
	for _, taken := range []string{"BO", rows[1].ID} {
		a.Username = taken
		f.records(t, nil, func() {
			refused(t, f.Accounts.UpdateAccount(t.Context(), a), auth.Conflict)
		})
	}
	want(t, f.account(t, "ana"), rows[0])
	want(t, f.account(t, "bo"), rows[1])
}

func accountTouch(t *testing.T, f *fixture) {
	a := fullAccount(f.clock, "ana")
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	a.LastLogin = f.clock.after(time.Minute)
	f.records(t, nil, func() {
		ok(t, f.Accounts.TouchAccount(t.Context(), home, a.ID, a.LastLogin))
		ok(t, f.Accounts.TouchAccount(t.Context(), home, a.ID, f.clock.after(-time.Hour)))
		ok(t, f.Accounts.TouchAccount(t.Context(), home, uuid.NewString(), a.LastLogin))
		ok(t, f.Accounts.TouchAccount(t.Context(), foreign, a.ID, f.clock.after(time.Hour)))
	})
	for range 2 {
		f.reopen(t) // a touch may be late, but not lost in an orderly end
		want(t, f.account(t, "ana"), a)
		ok(t, f.Accounts.TouchAccount(t.Context(), home, a.ID, f.clock.after(-time.Hour)))
	}
	ok(t, f.Accounts.UpdateAccount(t.Context(), a))
}

func accountDelete(t *testing.T, f *fixture) {
	a := account("ana")
	a.Email = "ana@example.com"
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	for range 2 {
		ok(t, f.Accounts.DeleteAccount(t.Context(), home, a.ID))
	}
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, "nobody"))
	for _, ref := range []string{a.ID, a.Username, a.Email} {
		refused(t, f.lookup(t, ref), auth.NotFound)
	}
	f.reopen(t)
	refused(t, f.lookup(t, a.ID), auth.NotFound)
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
}

func accountRealms(t *testing.T, f *fixture) {
	a := fullAccount(f.clock, "ana")
	b := a
	b.Realm, b.Disabled = foreign, false
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	_, err := f.Accounts.Account(t.Context(), foreign, "ana")
	refused(t, err, auth.NotFound)
	b.Version = 70
	refused(t, f.Accounts.UpdateAccount(t.Context(), b), auth.NotFound)
	ok(t, f.Accounts.InsertAccount(t.Context(), b))
	want(t, f.account(t, "ana"), a)

	b.Roles = []string{"guest"}
	ok(t, f.Accounts.UpdateAccount(t.Context(), b))
	want(t, f.account(t, "ana"), a)
	ok(t, f.Accounts.DeleteAccount(t.Context(), foreign, b.ID))
	want(t, f.account(t, "ana"), a)
	rows, err := f.Accounts.ListAccounts(t.Context(), foreign, store.Page{})
	ok(t, err)
	want(t, len(rows), 0)
}

func accountList(t *testing.T, f *fixture) {
	f.insertAccounts(t, "charlie", "Bravo", "zoë", "alfa", "bravo2", "a_b", "a%b")
	inOrder := []string{"a%b", "a_b", "alfa", "Bravo", "bravo2", "charlie", "zoë"}
	pages(t, inOrder, func(p store.Page) ([]string, error) {
		rows, err := f.Accounts.ListAccounts(t.Context(), home, p)
		return names(rows, func(a store.Account) string { return a.Username }), err
	})
}

func accountChanges(t *testing.T, f *fixture) {
	a := account("ana")
	f.records(t, nil, func() { ok(t, f.Accounts.InsertAccount(t.Context(), a)) })
	changed := []store.Change{{Realm: home, Kind: store.SubjectChanged, ID: a.ID}}
	f.records(t, changed, func() { ok(t, f.Accounts.UpdateAccount(t.Context(), a)) })
	f.records(t, changed, func() { ok(t, f.Accounts.DeleteAccount(t.Context(), home, a.ID)) })
}

func accountCopies(t *testing.T, f *fixture) {
	a, given := fullAccount(f.clock, "ana"), fullAccount(f.clock, "ana")
	given.ID = a.ID
	spoil := func(a *store.Account) {
		a.Roles[0], a.Settings[0].Name, a.Profile.Image[0] = "spoilt", "spoilt", 'x'
		a.Addresses[0] = a.Addresses[1]
		*a.Profile.BirthDate = f.clock.Now()
	}
	ok(t, f.Accounts.InsertAccount(t.Context(), given))
	spoil(&given)
	want(t, f.account(t, "ana"), a)
	got := f.account(t, "ana")
	spoil(&got)
	rows, err := f.Accounts.ListAccounts(t.Context(), home, store.Page{})
	ok(t, err)
	want(t, rows, []store.Account{a})
	spoil(&rows[0])
	want(t, f.account(t, "ana"), a)
}

func accountOddText(t *testing.T, f *fixture) {
	for name, odd := range oddStrings() {
		a := account(uuid.NewString())
		a.Password = auth.NewSecret(strings.ToValidUTF8(strings.ReplaceAll(odd, "\x00", ""), ""))
		a.Profile.Notes, a.Profile.City = odd, odd
		a.Settings = []store.Setting{{Name: odd, Value: odd}}
		a.Roles = []string{odd, "second"}
		err := f.Accounts.InsertAccount(t.Context(), a)
		if !kept(t, name, err) {
			refused(t, f.lookup(t, a.ID), auth.NotFound)
			continue
		}
		got := f.account(t, a.ID)
		want(t, got, a)
		want(t, got.Password.Reveal(), a.Password.Reveal())
	}
}

func accountLists(t *testing.T, f *fixture) {
	for _, list := range [][]string{nil, {""}, {"", ""}, {"b", "a", "b"}, {"a b", "c,d"}, {"null"}} {
		a := account(uuid.NewString())
		a.Roles = list
		ok(t, f.Accounts.InsertAccount(t.Context(), a))
		want(t, f.account(t, a.ID), a)
	}
}

func accountTimes(t *testing.T, f *fixture) {
	fine := time.Date(2026, 3, 29, 2, 59, 59, 123_999_999, time.FixedZone("far", 13*3600))
	for i, at := range []time.Time{fine, {}, time.Unix(0, 0), time.Unix(0, -1), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)} {
		a := account("ana" + decimal(int64(i)))
		a.Created, a.Updated, a.LastLogin = at, at, at
		ok(t, f.Accounts.InsertAccount(t.Context(), a))
		a.Created, a.Updated, a.LastLogin = store.Precise(at), store.Precise(at), store.Precise(at)
		want(t, f.account(t, a.ID), a)
	}
}

// account returns the account of the home realm that ref names.
func (f *fixture) account(t *testing.T, ref string) store.Account {
	t.Helper()
	a, err := f.Accounts.Account(t.Context(), home, ref)
	ok(t, err)
	return a
}

// lookup returns the error of looking ref up.
func (f *fixture) lookup(t *testing.T, ref string) error {
	t.Helper()
	_, err := f.Accounts.Account(t.Context(), home, ref)
	return err
}

// tooMany returns one name more than there may be of roles and of scopes.
func tooMany() []string { return slices.Repeat([]string{"a"}, auth.MaxNames+1) }
