package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// maxLine bounds a line of an import: a profile with an image fits.
const maxLine = 1 << 20

// importLine is one account of an import: JSON Lines, one object a line.
type importLine struct {
	Username     string          `json:"username"`
	Email        string          `json:"email"`
	PasswordHash string          `json:"password_hash"`
	Roles        []string        `json:"roles"`
	Tenant       string          `json:"tenant"`
	Unit         string          `json:"unit"`
	Disabled     bool            `json:"disabled"`
	Addresses    []importPrefix  `json:"addresses"`
	Profile      store.Profile   `json:"profile"`
	Settings     []store.Setting `json:"settings"`
}

// Imported is how an import ended.
type Imported struct {
	Added   int           `json:"added"`
	Present int           `json:"present"`
	Failed  []ImportError `json:"failed"`
}

// ImportError says what is wrong with a line.
type ImportError struct {
	Line int    `json:"line"`
	Text string `json:"error"`
}

// Import adds accounts from JSON Lines, with the password hashes that they had
// elsewhere. A username that is there already is left alone and counted, so
// that an import can be run again; a bad line is noted and the rest goes on.
// step is called after each line with the bytes read so far. The error is one
// that ended the import: reading, or the store; what was done before it is told.
func (a *Admin) Import(ctx context.Context, r io.Reader, step func(read int)) (Imported, error) {
	var done Imported
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	read, n := 0, 1
	for ; lines.Scan(); n++ {
		read += len(lines.Bytes()) + 1
		text := lines.Bytes()
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := a.importOne(ctx, text, n, &done); err != nil {
				return done, err
			}
		}
		step(read)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return done, invalid("line %d is longer than %d bytes; nothing from there on was read", n, maxLine)
	} else if err != nil {
		return done, fmt.Errorf("reading the import: %w", err)
	}
	return done, nil
}

func (a *Admin) importOne(ctx context.Context, text []byte, n int, done *Imported) error {
	line, err := readLine(text)
	if err == nil {
		err = a.addImported(ctx, line)
	}
	switch {
	case err == nil:
		done.Added++
	case errors.Is(err, errPresent):
		done.Present++
	case ctx.Err() != nil:
		return auth.Fail(auth.Unavailable, "", fmt.Errorf("interrupted at line %d: run it again to go on", n))
	case auth.CodeOf(err) == auth.Unavailable || auth.CodeOf(err) == auth.Internal:
		return auth.Fail(auth.CodeOf(err), "", fmt.Errorf("line %d: %s", n, Text(err)))
	default:
		done.Failed = append(done.Failed, ImportError{Line: n, Text: Text(err)})
	}
	return nil
}

func readLine(text []byte) (importLine, error) {
	var line importLine
	if err := checkLine(text); err != nil {
		return line, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&line)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return line, invalid("%s cannot be a %s", e.Field, e.Value)
	}
	if e, ok := errors.AsType[*time.ParseError](err); ok {
		return line, invalid("%q is no time like 1970-01-31T00:00:00Z", e.Value)
	}
	if err != nil {
		return line, invalid("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return line, nil
}

// checkLine refuses what encoding/json would read in its own way: a member
// twice or in another case, text that is not UTF-8, something after the object.
func checkLine(text []byte) error {
	if !utf8.Valid(text) {
		return invalid("the line is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return invalid("the line is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err == nil {
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return invalid("the line is no JSON object")
		}
		member := strings.ToLower(strings.ToUpper(fmt.Sprint(name))) // as encoding/json folds
		if seen[member] {
			return invalid("member %q stands twice", member)
		}
		seen[member] = true
	}
	if _, err := d.Token(); err != nil {
		return invalid("the line is no JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("something follows the object")
	}
	return nil
}

var errPresent = errors.New("the account is there already")

func (a *Admin) addImported(ctx context.Context, l importLine) error {
	if a.present(ctx, l.Username) {
		return errPresent
	}
	_, err := a.AddAccount(ctx, NewAccount{
		Username: l.Username, Email: l.Email, Hash: auth.NewSecret(l.PasswordHash), Roles: l.Roles,
		Tenant: l.Tenant, Unit: l.Unit, Disabled: l.Disabled, Addresses: prefixesOf(l.Addresses),
		Profile: l.Profile, Settings: l.Settings,
	})
	return err
}

// present reports whether an account has this username. A name that is the
// email of another account is none: adding it fails, and says so.
func (a *Admin) present(ctx context.Context, username string) bool {
	row, err := a.Store.Accounts.Account(ctx, a.Realm, username)
	if err != nil {
		return false
	}
	stored, err := store.NameKey(row.Username)
	if err != nil {
		return false
	}
	given, err := store.NameKey(username)
	return err == nil && given == stored
}
