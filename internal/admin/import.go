package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

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
	Addresses    []netip.Prefix  `json:"addresses"`
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
// that ended the import: reading, or the store.
func (a *Admin) Import(ctx context.Context, r io.Reader, step func(read int)) (Imported, error) {
	var done Imported
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	read := 0
	for n := 1; lines.Scan(); n++ {
		read += len(lines.Bytes()) + 1
		if text := bytes.TrimSpace(lines.Bytes()); len(text) > 0 {
			if err := a.importOne(ctx, text, n, &done); err != nil {
				return done, err
			}
		}
		step(read)
	}
	if err := lines.Err(); err != nil {
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
	case auth.CodeOf(err) == auth.Unavailable:
		return err
	default:
		done.Failed = append(done.Failed, ImportError{Line: n, Text: Text(err)})
	}
	return nil
}

func readLine(text []byte) (importLine, error) {
	var line importLine
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		return line, invalid("%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return line, invalid("more than one object on the line")
	}
	return line, nil
}

var errPresent = errors.New("the account is there already")

func (a *Admin) addImported(ctx context.Context, l importLine) error {
	if _, err := a.Store.Accounts.Account(ctx, a.Realm, l.Username); err == nil {
		return errPresent
	}
	row, err := a.AddAccount(ctx, NewAccount{
		Username: l.Username, Email: l.Email, Hash: auth.NewSecret(l.PasswordHash), Roles: l.Roles,
		Tenant: l.Tenant, Unit: l.Unit, Addresses: l.Addresses, Profile: l.Profile, Settings: l.Settings,
	})
	if err != nil || !l.Disabled {
		return err
	}
	_, err = a.SetDisabled(ctx, row.ID, true)
	return err
}
