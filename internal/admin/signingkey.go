package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// SigningKeys calls yield with each signing key, oldest first. They are those of
// all realms.
func (a *Admin) SigningKeys(ctx context.Context, yield func(store.SigningKey) error) error {
	rows, err := a.Store.SigningKeys.SigningKeys(ctx)
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

// RotateSigningKeys has new keys sign in the place of those that do, for the
// uses that are named, or all where none is, and calls yield with each new one.
// A use may be cut short at a space: access-token is all of its algorithms. The
// old keys verify until the last token they signed has expired.
func (a *Admin) RotateSigningKeys(ctx context.Context, uses []string, yield func(store.SigningKey) error) error {
	due, err := a.usesToRotate(ctx, uses)
	if err != nil {
		return err
	}
	ring, err := a.Ring(ctx)
	if err != nil {
		return err
	}
	signers := token.NewSigners(a.Store.SigningKeys, ring, a.Now)
	var made []string
	for _, use := range due {
		id, err := signers.Rotate(ctx, use)
		if err != nil {
			return rotated(err, use)
		}
		made = append(made, id)
	}
	return a.SigningKeys(ctx, func(row store.SigningKey) error {
		if !slices.Contains(made, row.ID) {
			return nil
		}
		return yield(row)
	})
}

// rotated says that a rotation lost against another, and leaves other errors.
func rotated(err error, use string) error {
	if sentence(err) != "" {
		return err
	}
	return taken(err, "the signing key for %s was rotated by another at the same time", use)
}

// usesToRotate returns the uses that have a key that signs, as far as they are
// meant.
func (a *Admin) usesToRotate(ctx context.Context, named []string) ([]string, error) {
	var signing []string
	err := a.SigningKeys(ctx, func(row store.SigningKey) error {
		if row.Retired.IsZero() && !slices.Contains(signing, row.Use) {
			signing = append(signing, row.Use)
		}
		return nil
	})
	if err != nil || len(named) == 0 && len(signing) > 0 {
		return signing, err
	}
	if len(signing) == 0 {
		return nil, auth.Fail(auth.NotFound, "", fmt.Errorf("there is no signing key yet: one is made when it is needed first"))
	}
	var due []string
	for _, name := range named {
		found := false
		for _, use := range signing {
			if use != name && !strings.HasPrefix(use, name+" ") {
				continue
			}
			found = true
			if !slices.Contains(due, use) {
				due = append(due, use)
			}
		}
		if !found {
			return nil, auth.Fail(auth.NotFound, "", fmt.Errorf("no key signs for the use %q: there is %s", name, strings.Join(signing, ", ")))
		}
	}
	return due, nil
}

// KeyState is what a signing key still does.
type KeyState string

// The states of a signing key.
const (
	KeySigns    KeyState = "signs"
	KeyVerifies KeyState = "verifies"
	KeyOver     KeyState = "over"
)

// SigningKeyState returns what a signing key still does.
func (a *Admin) SigningKeyState(k store.SigningKey) KeyState {
	switch {
	case k.Retired.IsZero():
		return KeySigns
	case k.Expires.IsZero() || a.Now().Before(k.Expires):
		return KeyVerifies
	}
	return KeyOver
}
