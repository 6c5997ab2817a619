package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const goodCode = "R7f-9KxQ-22mp-VtZ8"

// withRing gives the desk a key ring of its own.
func (d *desk) withRing() *token.Ring {
	d.Helper()
	ring, err := token.ParseRing(token.RingFile{Name: "ring", Text: token.NewRing()})
	d.must(err)
	d.Ring = func(context.Context) (*token.Ring, error) { return ring, nil }
	return ring
}

func (d *desk) identifier(n admin.NewIdentifier) store.Identifier {
	d.Helper()
	row, err := d.AddIdentifier(d.Context(), n)
	d.must(err)
	return row
}

func TestACodeIsFoundByItsMACAndKeptAsNothingElse(t *testing.T) {
	d := newDesk(t)
	ring, joe := d.withRing(), d.account("joe")
	row := d.identifier(admin.NewIdentifier{Account: "JOE", Code: auth.NewSecret(goodCode)})
	found, err := d.Store.Identifiers.IdentifierCoded(t.Context(), "default", token.CodeMACs(ring, "default", goodCode)...)
	d.must(err)
	if found != row || found.Account != joe.ID || found.Name != "" || !found.PassCode.Empty() || !found.Created.Equal(d.now) {
		t.Errorf("found %+v", found)
	}
	if found.Code == auth.DigestOf(goodCode) {
		t.Error("whoever has the store can try codes against it")
	}
	other := *d.Admin
	other.Realm = "other"
	_, err = other.AddAccount(t.Context(), admin.NewAccount{Username: "anna"})
	d.must(err)
	there, err := other.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "anna", Code: auth.NewSecret(goodCode)})
	d.must(err)
	if there.Code == row.Code {
		t.Error("a code has one MAC in two realms")
	}
}

func TestAPassCodeIsHashedAsAPasswordIs(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	row := d.identifier(admin.NewIdentifier{Account: "joe", Name: "Till.7", PassCode: auth.NewSecret("long enough")})
	found, err := d.Store.Identifiers.IdentifierNamed(t.Context(), "default", "till.7")
	d.must(err)
	if found != row || found.Name != "Till.7" || !found.Code.IsZero() {
		t.Errorf("found %+v", found)
	}
	good, _, err := d.Hasher.Verify(t.Context(), found.PassCode, auth.NewSecret("long enough"))
	if err != nil || !good || !strings.HasPrefix(found.PassCode.Reveal(), "$argon2id$") {
		t.Errorf("the pass code is not kept as a hash of it: %v, %v", good, err)
	}
}

func TestAnIdentifierThatCannotBeIsRefusedWithoutItsSecret(t *testing.T) {
	d := newDesk(t)
	d.withRing()
	d.account("longenough")
	code := func(text string) admin.NewIdentifier {
		return admin.NewIdentifier{Account: "longenough", Code: auth.NewSecret(text)}
	}
	named := func(name, passCode string) admin.NewIdentifier {
		return admin.NewIdentifier{Account: "longenough", Name: name, PassCode: auth.NewSecret(passCode)}
	}
	both := named("till", "long enough")
	both.Code = auth.NewSecret(goodCode)
	stranger := code(goodCode)
	stranger.Account = "bob"
	for name, c := range map[string]struct {
		n     admin.NewIdentifier
		code  auth.Code
		words string
	}{
		"nothing":                        {code(""), auth.Malformed, "is a code, or a name with a pass code"},
		"both":                           {both, auth.Malformed, "is a code, or a name with a pass code"},
		"a name alone":                   {named("till", ""), auth.Malformed, "is a code, or a name with a pass code"},
		"a pass code alone":              {named("", "long enough"), auth.Malformed, "is a code, or a name with a pass code"},
		"a short code":                   {code(goodCode[:15]), auth.Malformed, "at least 16 characters"},
		"a short code of wide letters":   {code("αβγδεζηθικλμνξο"), auth.Malformed, "at least 16 characters"},
		"a code of one letter":           {code(strings.Repeat("a", 40)), auth.Malformed, "repeats itself"},
		"a code of four digits":          {code("1234123412341234"), auth.Malformed, "repeats itself"},
		"a code of one word":             {code("password-password-pass"), auth.Malformed, "repeats itself"},
		"a code of eight digits, twice":  {code("1593572815935728"), auth.Malformed, "repeats itself"},
		"a code that fills a page":       {code(strings.Repeat(goodCode, 15)), auth.Malformed, "at most 256 bytes"},
		"a code with a line break":       {code(goodCode + "\n"), auth.Malformed, "without control characters"},
		"a code that is no text":         {code(goodCode + "\xff"), auth.Malformed, "without control characters"},
		"a short pass code":              {named("till", "1234567"), auth.Malformed, "at least 8 bytes"},
		"a pass code that is the name":   {named("till-number-7", "TILL-number-7"), auth.Malformed, "the pass code is the identifier"},
		"a pass code that is a username": {named("till", "LongEnough"), auth.Malformed, "the pass code is the username"},
		"a pass code that many use":      {named("till", "PassWord"), auth.Malformed, "the pass code is one of the 3000 most used"},
		"a name of two words":            {named("till 7", "long enough"), auth.Malformed, `identifier "till 7" cannot be: it is letters and digits`},
		"an account that is not there":   {stranger, auth.NotFound, `there is no account "bob"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Admin: d.Admin, now: d.now}
			_, err := d.AddIdentifier(t.Context(), c.n)
			d.fails(err, c.code, c.words)
			for _, secret := range []auth.Secret{c.n.Code, c.n.PassCode} {
				if !secret.Empty() && strings.Contains(err.Error(), secret.Reveal()) {
					t.Errorf("%v repeats a secret", err)
				}
			}
		})
	}
	d.identifier(code(goodCode[:16]))
	d.identifier(code("5123411532231425"))
	d.identifier(code("αβγδεζηθικλμνξοπ"))
	d.identifier(named("till", "83619274"))
}

func TestOneNameAndOneCodeLeadToOneAccount(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.account("anna")
	older := token.RingFile{Name: "older", Text: token.NewRing()}
	rotated := token.RingFile{Name: "newer", Text: token.NewRing()}
	files := []token.RingFile{older}
	d.Ring = func(context.Context) (*token.Ring, error) { return token.ParseRing(files...) }

	d.identifier(admin.NewIdentifier{Account: "joe", Code: auth.NewSecret(goodCode)})
	_, err := d.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "anna", Code: auth.NewSecret(goodCode)})
	d.fails(err, auth.Conflict, "this code is in use already")
	files = []token.RingFile{rotated, older}
	_, err = d.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "anna", Code: auth.NewSecret(goodCode)})
	d.fails(err, auth.Conflict, "this code is in use already")

	d.identifier(admin.NewIdentifier{Account: "joe", Name: "till", PassCode: auth.NewSecret("long enough")})
	_, err = d.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "anna", Name: "TILL", PassCode: auth.NewSecret("long enough")})
	d.fails(err, auth.Conflict, `there is an identifier "TILL" already`)
}

func TestOnlyACodeNeedsTheKeyRing(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	d.Ring = func(context.Context) (*token.Ring, error) { return nil, errors.New("no ring today") }
	d.identifier(admin.NewIdentifier{Account: "joe", Name: "till", PassCode: auth.NewSecret("long enough")})
	_, err := d.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "joe", Code: auth.NewSecret(goodCode)})
	if err == nil || admin.Text(err) != "no ring today" {
		t.Errorf("got %v", err)
	}
	_, err = d.AddIdentifier(t.Context(), admin.NewIdentifier{Account: "joe", Code: auth.NewSecret("short")})
	d.fails(err, auth.Malformed, "at least 16")
}

func TestIdentifiersAreListedAndDeletedByIDOrName(t *testing.T) {
	d := newDesk(t)
	d.withRing()
	d.account("joe")
	d.account("anna")
	till := d.identifier(admin.NewIdentifier{Account: "joe", Name: "till", PassCode: auth.NewSecret("long enough")})
	code := d.identifier(admin.NewIdentifier{Account: "anna", Code: auth.NewSecret(goodCode)})
	listed := func(account string) []string {
		var ids []string
		d.must(d.Identifiers(t.Context(), account, func(i store.Identifier) error {
			ids = append(ids, i.ID)
			return nil
		}))
		return ids
	}
	for account, want := range map[string][]string{"": {code.ID, till.ID}, "joe": {till.ID}, "anna": {code.ID}} {
		if got := listed(account); !slices.Equal(got, want) {
			t.Errorf("of %q there are %v, want %v", account, got, want)
		}
	}
	d.fails(d.Identifiers(t.Context(), "bob", nil), auth.NotFound, `no account "bob"`)
	stop := errors.New("enough")
	if err := d.Identifiers(t.Context(), "", func(store.Identifier) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}

	for ref, want := range map[string]store.Identifier{till.ID: till, "TILL": till, code.ID: code} {
		if got, err := d.Identifier(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s is %+v, %v", ref, got, err)
		}
	}
	_, err := d.Identifier(t.Context(), goodCode)
	d.fails(err, auth.NotFound, "there is no such identifier")
	if strings.Contains(err.Error(), goodCode) {
		t.Error("a code is repeated")
	}
	d.must(d.DeleteIdentifier(t.Context(), till.ID))
	if got := listed(""); !slices.Equal(got, []string{code.ID}) {
		t.Errorf("there are %v left", got)
	}
	_, err = d.Identifier(t.Context(), "till")
	d.fails(err, auth.NotFound, "there is no such identifier")
}
