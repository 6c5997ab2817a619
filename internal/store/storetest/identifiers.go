package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Identifiers holds a backend to its part of the contract. It needs accounts.
func Identifiers(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"an identifier comes back as it went in, by its id and its name or code", identifierRoundTrip},
		{"an identifier that is not there is not found", identifierAbsent},
		{"a code is looked up by the first that is known", identifierCodes},
		{"an id, name or code that the realm has is a conflict, in any spelling of the name", identifierTaken},
		{"an identifier may have the name of an account", identifierNameOfAccount},
		{"any number of identifiers have no name, or no code", identifierMany},
		{"an identifier of an account that is not there is not found", identifierDangling},
		{"an identifier that is not one thing is malformed", identifierMalformed},
		{"the identifiers of an account are listed oldest first, then by id", identifierList},
		{"a delete is idempotent and frees the name and the code", identifierDelete},
		{"no write of an identifier records a change", identifierChanges},
		{"a realm neither shows nor touches the identifiers of another", identifierRealms},
		{"odd text comes back as it went in or is refused", identifierOddText},
		{"of two and of fifty identifiers of one name, in any spelling, one is added", raceIdentifierName},
		{"of two and of fifty identifiers of one code one is added", raceIdentifierCode},
	})
}

const passCode = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"

// named is an identifier of a that has a name and a pass code.
func named(a store.Account, name string) store.Identifier {
	return store.Identifier{
		ID: uuid.NewString(), Realm: a.Realm, Account: a.ID, Name: name, PassCode: auth.NewSecret(passCode),
	}
}

// coded is an identifier of a that is a code.
func coded(a store.Account, code string) store.Identifier {
	return store.Identifier{ID: uuid.NewString(), Realm: a.Realm, Account: a.ID, Code: auth.DigestOf(code)}
}

func (f *fixture) insertIdentifier(t *testing.T, i store.Identifier) store.Identifier {
	t.Helper()
	ok(t, f.Identifiers.InsertIdentifier(t.Context(), i))
	return i
}

func (f *fixture) identifierOf(t *testing.T, i store.Identifier) (store.Identifier, error) {
	t.Helper()
	if i.Name != "" {
		return f.Identifiers.IdentifierNamed(t.Context(), i.Realm, i.Name)
	}
	return f.Identifiers.IdentifierCoded(t.Context(), i.Realm, i.Code)
}

// hasIdentifier fails the clause unless the store has exactly this of i.
func (f *fixture) hasIdentifier(t *testing.T, i store.Identifier) {
	t.Helper()
	got, err := f.identifierOf(t, i)
	ok(t, err)
	want(t, got, i)
	got, err = f.Identifiers.Identifier(t.Context(), i.Realm, i.ID)
	ok(t, err)
	want(t, got, i)
}

func (f *fixture) lacksIdentifier(t *testing.T, i store.Identifier) {
	t.Helper()
	_, err := f.identifierOf(t, i)
	refused(t, err, auth.NotFound)
}

func (f *fixture) lacksIdentifierID(t *testing.T, realm, id string) {
	t.Helper()
	_, err := f.Identifiers.Identifier(t.Context(), realm, id)
	refused(t, err, auth.NotFound)
}

func (f *fixture) identifiers(t *testing.T, account string) []store.Identifier {
	t.Helper()
	rows, err := f.Identifiers.IdentifiersOf(t.Context(), home, account)
	ok(t, err)
	return rows
}

func identifierRoundTrip(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	name, code := named(a, "Till.7"), coded(a, "code")
	name.Created, code.Created = f.clock.after(-time.Hour), f.clock.Now()
	f.insertIdentifier(t, name)
	f.insertIdentifier(t, code)
	for range 2 {
		f.hasIdentifier(t, name)
		f.hasIdentifier(t, code)
		for _, spelling := range []string{"till.7", "TILL.7", "Ｔill.7"} {
			got, err := f.Identifiers.IdentifierNamed(t.Context(), home, spelling)
			ok(t, err)
			want(t, got, name)
		}
		want(t, f.identifiers(t, a.ID), []store.Identifier{name, code})
		f.reopen(t)
	}
}

func identifierAbsent(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	i := f.insertIdentifier(t, named(a, "till"))
	f.insertIdentifier(t, coded(a, "code"))
	names := []string{"", " ", "til", "till%", "t_ll", "till ", i.ID, "ana", strings.Repeat("t", 1<<16)}
	for _, odd := range oddStrings() {
		names = append(names, odd)
	}
	for _, name := range names {
		_, err := f.Identifiers.IdentifierNamed(t.Context(), home, name)
		refused(t, err, auth.NotFound)
		if name != i.ID {
			f.lacksIdentifierID(t, home, name)
		}
	}
	for _, codes := range [][]auth.Digest{nil, {{}}, {auth.DigestOf("another")}, {{}, auth.DigestOf("another"), {}}} {
		_, err := f.Identifiers.IdentifierCoded(t.Context(), home, codes...)
		refused(t, err, auth.NotFound)
	}
	for _, account := range []string{uuid.NewString(), "", "ana"} {
		want(t, len(f.identifiers(t, account)), 0)
	}
}

func identifierCodes(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	first, second := f.insertIdentifier(t, coded(a, "first")), f.insertIdentifier(t, coded(a, "second"))
	unknown := auth.DigestOf("unknown")
	for _, c := range []struct {
		codes []auth.Digest
		want  store.Identifier
	}{
		{[]auth.Digest{first.Code, second.Code}, first},
		{[]auth.Digest{second.Code, first.Code}, second},
		{[]auth.Digest{unknown, {}, second.Code}, second},
		{[]auth.Digest{first.Code, unknown}, first},
	} {
		got, err := f.Identifiers.IdentifierCoded(t.Context(), home, c.codes...)
		ok(t, err)
		want(t, got, c.want)
	}
}

func identifierTaken(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	name, code := f.insertIdentifier(t, named(a[0], "Till")), f.insertIdentifier(t, coded(a[0], "code"))
	idOfName, idOfCode := coded(a[1], "another"), named(a[1], "another")
	idOfName.ID, idOfCode.ID = name.ID, code.ID
	for what, i := range map[string]store.Identifier{
		"the name": named(a[1], "Till"), "the name, folded": named(a[1], "ｔILL"), "the code": coded(a[1], "code"),
		"the id of a name": idOfName, "the id of a code": idOfCode, "the name, of the same account": named(a[0], "till"),
	} {
		if err := f.Identifiers.InsertIdentifier(t.Context(), i); err == nil || auth.CodeOf(err) != auth.Conflict {
			t.Errorf("%s: got %v, want a conflict", what, err)
		}
	}
	f.hasIdentifier(t, name)
	f.hasIdentifier(t, code)
	f.lacksIdentifier(t, idOfName)
	f.lacksIdentifier(t, idOfCode)
	want(t, len(f.identifiers(t, a[1].ID)), 0)
}

func identifierNameOfAccount(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i := f.insertIdentifier(t, named(a[1], "ana"))
	f.hasIdentifier(t, i)
	want(t, f.account(t, "ana"), a[0])
}

func identifierMany(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	for n := range 3 {
		f.insertIdentifier(t, named(a, fmt.Sprint("till", n)))
		f.insertIdentifier(t, coded(a, fmt.Sprint("code", n)))
	}
	want(t, len(f.identifiers(t, a.ID)), 6)
}

func identifierDangling(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	theirs, nobody := a, account("nobody")
	theirs.Realm = foreign
	for _, i := range []store.Identifier{named(nobody, "till"), coded(nobody, "code"), named(theirs, "till"), coded(theirs, "code")} {
		refused(t, f.Identifiers.InsertIdentifier(t.Context(), i), auth.NotFound)
		f.lacksIdentifier(t, i)
	}
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, a.ID))
	refused(t, f.Identifiers.InsertIdentifier(t.Context(), named(a, "till")), auth.NotFound)
}

func identifierMalformed(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	for what, change := range map[string]func(*store.Identifier){
		"no id":                     func(i *store.Identifier) { i.ID = "" },
		"no realm":                  func(i *store.Identifier) { i.Realm = "" },
		"no account":                func(i *store.Identifier) { i.Account = "" },
		"neither":                   func(i *store.Identifier) { i.Name, i.PassCode = "", auth.Secret{} },
		"a name without pass code":  func(i *store.Identifier) { i.PassCode = auth.Secret{} },
		"a pass code without name":  func(i *store.Identifier) { i.Name = "" },
		"both":                      func(i *store.Identifier) { i.Code = auth.DigestOf("code") },
		"a code with a pass code":   func(i *store.Identifier) { i.Name, i.Code = "", auth.DigestOf("code") },
		"a code with a name":        func(i *store.Identifier) { i.PassCode, i.Code = auth.Secret{}, auth.DigestOf("code") },
		"a name that is none":       func(i *store.Identifier) { i.Name = "two words" },
		"a name with a NUL":         func(i *store.Identifier) { i.Name = "a\x00b" },
		"a name that is too long":   func(i *store.Identifier) { i.Name = strings.Repeat("a", 257) },
		"a pass code with a NUL":    func(i *store.Identifier) { i.PassCode = auth.NewSecret("$a\x00") },
		"an id that is broken text": func(i *store.Identifier) { i.ID = "a\xff" },
	} {
		i := named(a, "till")
		change(&i)
		if err := f.Identifiers.InsertIdentifier(t.Context(), i); err == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("%s: got %v, want malformed", what, err)
		}
	}
	want(t, len(f.identifiers(t, a.ID)), 0)
}

func identifierList(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	var rows []store.Identifier
	for n, age := range []time.Duration{3, 1, 2, 1, 1} {
		i := named(a[0], fmt.Sprint("till", n))
		i.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", 9-n)
		i.Created = f.clock.after(-age*time.Millisecond + 999_999)
		f.insertIdentifier(t, i)
		i.Created = store.Precise(i.Created)
		rows = append(rows, i)
	}
	f.insertIdentifier(t, coded(a[1], "code"))
	want(t, f.identifiers(t, a[0].ID), []store.Identifier{rows[0], rows[2], rows[4], rows[3], rows[1]})
}

func identifierDelete(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	name, code := f.insertIdentifier(t, named(a, "till")), f.insertIdentifier(t, coded(a, "code"))
	other := f.insertIdentifier(t, named(a, "other"))
	for range 2 {
		for _, i := range []store.Identifier{name, code} {
			ok(t, f.Identifiers.DeleteIdentifier(t.Context(), home, i.ID))
			f.lacksIdentifier(t, i)
			f.lacksIdentifierID(t, home, i.ID)
		}
		want(t, f.identifiers(t, a.ID), []store.Identifier{other})
		f.reopen(t)
	}
	for _, id := range []string{"", "%", "till", uuid.NewString()} {
		ok(t, f.Identifiers.DeleteIdentifier(t.Context(), home, id))
	}
	f.hasIdentifier(t, f.insertIdentifier(t, named(a, "TILL")))
	f.hasIdentifier(t, f.insertIdentifier(t, coded(a, "code")))
}

func identifierChanges(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	f.records(t, nil, func() {
		i := f.insertIdentifier(t, named(a, "till"))
		ok(t, f.Identifiers.DeleteIdentifier(t.Context(), home, i.ID))
	})
}

func identifierRealms(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	theirs := a
	theirs.Realm = foreign
	rows := []store.Identifier{f.insertIdentifier(t, named(a, "till")), f.insertIdentifier(t, coded(a, "code"))}
	ok(t, f.Accounts.InsertAccount(t.Context(), theirs))
	for _, i := range rows {
		there := i
		there.Realm = foreign
		f.lacksIdentifier(t, there)
		f.lacksIdentifierID(t, foreign, i.ID)
		ok(t, f.Identifiers.DeleteIdentifier(t.Context(), foreign, i.ID))
		f.hasIdentifier(t, i)
		f.hasIdentifier(t, f.insertIdentifier(t, there)) // the same id and name or code
	}
	ok(t, f.Accounts.DeleteAccount(t.Context(), foreign, a.ID))
	want(t, len(f.identifiers(t, a.ID)), 2)
	list, err := f.Identifiers.IdentifiersOf(t.Context(), foreign, a.ID)
	ok(t, err)
	want(t, len(list), 0)
	for _, i := range rows {
		f.hasIdentifier(t, i)
	}
}

func identifierOddText(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	for name, odd := range oddStrings() {
		i := named(a, odd)
		i.PassCode = auth.NewSecret(odd)
		if kept(t, name, f.Identifiers.InsertIdentifier(t.Context(), i)) {
			f.hasIdentifier(t, i)
		}
	}
}

func raceIdentifierName(t *testing.T, f *fixture) {
	ctx, a := t.Context(), f.insertAccounts(t, "ana")[0]
	for _, n := range crowds {
		rows := make([]store.Identifier, n)
		for i := range rows {
			rows[i] = named(a, []string{"till", "TILL", "ｔill"}[i%3]+decimal(int64(n)))
		}
		winner := oneWins(t, n, func(i int) error { return f.Identifiers.InsertIdentifier(ctx, rows[i]) })
		f.hasIdentifier(t, rows[winner])
	}
	want(t, len(f.identifiers(t, a.ID)), len(crowds))
}

func raceIdentifierCode(t *testing.T, f *fixture) {
	ctx, a := t.Context(), f.insertAccounts(t, "ana")[0]
	for _, n := range crowds {
		rows := make([]store.Identifier, n)
		for i := range rows {
			rows[i] = coded(a, decimal(int64(n)))
		}
		winner := oneWins(t, n, func(i int) error { return f.Identifiers.InsertIdentifier(ctx, rows[i]) })
		f.hasIdentifier(t, rows[winner])
	}
	want(t, len(f.identifiers(t, a.ID)), len(crowds))
}
