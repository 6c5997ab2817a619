package admin

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password/mostused"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	// minCode is the least length of an authentication code in characters. A
	// code is looked up as it is, with no name beside it and no slow hash
	// behind it, so it has to be as hard to guess as a key.
	minCode = 16
	// maxCode bounds a code in bytes, as a name is.
	maxCode = 256
	// minVariety is how many different characters a code has. Of 16 random
	// digits fewer are different once in 10,000 codes.
	minVariety = 5
)

// NewIdentifier is an access identifier to add: a code, or a name with its
// pass code.
type NewIdentifier struct {
	// Account is a username, email or id.
	Account string
	// Code is an authentication code that exists.
	Code auth.Secret
	// Name and PassCode belong together.
	Name     string
	PassCode auth.Secret
}

// AddIdentifier adds an access identifier to an account. Neither code can be
// shown again.
func (a *Admin) AddIdentifier(ctx context.Context, n NewIdentifier) (store.Identifier, error) {
	if err := checkIdentifier(n); err != nil {
		return store.Identifier{}, err
	}
	owner, err := a.Account(ctx, n.Account)
	if err != nil {
		return store.Identifier{}, err
	}
	row := store.Identifier{ID: uuid.NewString(), Realm: a.Realm, Account: owner.ID, Name: n.Name, Created: a.now()}
	if n.Name == "" {
		return a.addCode(ctx, row, n.Code)
	}
	if strings.EqualFold(n.PassCode.Reveal(), owner.Username) {
		return row, invalid("the pass code is the username")
	}
	if row.PassCode, err = a.Hasher.Make(ctx, n.PassCode); err != nil {
		return row, err
	}
	return row, taken(a.Store.Identifiers.InsertIdentifier(ctx, row), "there is an identifier %q already", n.Name)
}

// addCode adds a code, unless the realm has it under any key of the ring: the
// one that is there may have been added before the ring was rotated.
func (a *Admin) addCode(ctx context.Context, row store.Identifier, code auth.Secret) (store.Identifier, error) {
	ring, err := a.Ring(ctx)
	if err != nil {
		return row, err
	}
	const used = "this code is in use already"
	_, err = a.Store.Identifiers.IdentifierCoded(ctx, a.Realm, token.CodeMACs(ring, a.Realm, code.Reveal())...)
	if err == nil {
		return row, refused(used)
	}
	if !auth.IsNotFound(err) {
		return row, err
	}
	row.Code = token.CodeMAC(ring, a.Realm, code.Reveal())
	return row, taken(a.Store.Identifiers.InsertIdentifier(ctx, row), used)
}

func checkIdentifier(n NewIdentifier) error {
	if n.Name == "" == n.Code.Empty() || n.Name == "" != n.PassCode.Empty() {
		return invalid("an access identifier is a code, or a name with a pass code")
	}
	if n.Name == "" {
		return checkCode(n.Code.Reveal())
	}
	if _, err := store.NameKey(n.Name); err != nil {
		return unfit("identifier", n.Name, err)
	}
	if len(n.PassCode.Reveal()) < minPassword {
		return invalid("a pass code has at least %d bytes", minPassword)
	}
	if strings.EqualFold(n.PassCode.Reveal(), n.Name) {
		return invalid("the pass code is the identifier")
	}
	if mostused.Has(n.PassCode) {
		return invalid("the pass code is one of the %d most used passwords, which are tried first: choose another", mostused.Count)
	}
	return nil
}

// checkCode refuses a code that can be guessed, or that no client could send.
// It is not repeated.
func checkCode(code string) error {
	if !utf8.ValidString(code) || strings.ContainsFunc(code, unicode.IsControl) {
		return invalid("an authentication code is text without control characters")
	}
	if utf8.RuneCountInString(code) < minCode {
		return invalid("an authentication code is found by itself, so it has at least %d characters", minCode)
	}
	if len(code) > maxCode {
		return invalid("an authentication code has at most %d bytes", maxCode)
	}
	if variety(code) < minVariety || periodic(code) {
		return invalid("this code repeats itself: make one from random characters, at least %d different ones", minVariety)
	}
	return nil
}

// periodic reports whether a text is a part of itself, over and over.
func periodic(text string) bool {
	for n := 1; n <= len(text)/2; n++ {
		if strings.HasPrefix(text, text[n:]) {
			return true
		}
	}
	return false
}

// variety returns how many different characters a text has.
func variety(text string) int {
	seen := map[rune]bool{}
	for _, c := range text {
		seen[c] = true
	}
	return len(seen)
}

// Identifier returns an access identifier by its id, or by its name where it
// has one.
func (a *Admin) Identifier(ctx context.Context, ref string) (store.Identifier, error) {
	row, err := a.Store.Identifiers.Identifier(ctx, a.Realm, ref)
	if auth.IsNotFound(err) {
		row, err = a.Store.Identifiers.IdentifierNamed(ctx, a.Realm, ref)
	}
	return row, missingIdentifier(err)
}

// missingIdentifier does not repeat what was asked for: it may be a code.
func missingIdentifier(err error) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.NotFound, "", errors.New("there is no such identifier"))
	}
	return err
}

// DeleteIdentifier removes an access identifier. What was obtained with it
// before stays.
func (a *Admin) DeleteIdentifier(ctx context.Context, id string) error {
	return a.Store.Identifiers.DeleteIdentifier(ctx, a.Realm, id)
}

// Identifiers calls yield with each access identifier, of an account where one
// is named: account by account in the order of username, oldest first.
func (a *Admin) Identifiers(ctx context.Context, account string, yield func(store.Identifier) error) error {
	if account == "" {
		return a.Accounts(ctx, func(owner store.Account) error { return a.identifiersOf(ctx, owner, yield) })
	}
	owner, err := a.Account(ctx, account)
	if err != nil {
		return err
	}
	return a.identifiersOf(ctx, owner, yield)
}

func (a *Admin) identifiersOf(ctx context.Context, owner store.Account, yield func(store.Identifier) error) error {
	rows, err := a.Store.Identifiers.IdentifiersOf(ctx, a.Realm, owner.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}
