package token

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// KeyIDs names the keys of the ring, the one that seals first: 16 hex digits
// each, derived from the key, from which nobody can tell the key.
func (r *Ring) KeyIDs() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = hex.EncodeToString(k.id[:])
	}
	return ids
}

// SealedBy returns the id of the key that sealed something, as [Ring.KeyIDs]
// has it; "" for what is not in the form of [Ring.Seal].
func SealedBy(sealed []byte) string {
	if len(sealed) < sealOverhead || sealed[0] != sealVersion {
		return ""
	}
	return hex.EncodeToString(sealed[1:sealOverhead])
}

// Seals reports whether the first key of the ring sealed something.
func (r *Ring) Seals(sealed []byte) bool {
	return SealedBy(sealed) != "" && bytes.Equal(sealed[1:sealOverhead], r.keys[0].id[:])
}

// has reports whether the ring has the key that sealed something.
func (r *Ring) has(sealed []byte) bool {
	id := SealedBy(sealed)
	for _, k := range r.keys {
		if hex.EncodeToString(k.id[:]) == id {
			return true
		}
	}
	return false
}

// Reseal opens a sealed value and seals it under the first key.
func (r *Ring) Reseal(sealed, associated []byte) ([]byte, error) {
	plain, err := r.Open(sealed, associated)
	if err != nil {
		return nil, err
	}
	return r.Seal(plain, associated)
}

// BindSession is what the token that a session keeps sealed is bound to.
func BindSession(realm, id string) []byte { return Bind(realm, "sessions", id) }

// BindSigningKey is what the sealed part of a signing key is bound to.
func BindSigningKey(row store.SigningKey) []byte { return bindRow(row) }

// MissingKeyError says that signing keys cannot be opened for want of a key in
// the ring.
type MissingKeyError struct {
	// Key is the id of the missing key, Signing those of the keys it sealed.
	Key     string
	Signing []string
	// Have are the ids of the keys of the ring.
	Have []string
}

// Error implements error, with what to do about it.
func (e *MissingKeyError) Error() string {
	which := "the signing key " + e.Signing[0] + " of the store is"
	if n := len(e.Signing); n > 1 {
		which = fmt.Sprintf("%d signing keys of the store are", n)
	}
	return fmt.Sprintf("%s sealed under the key %s, which the key ring lacks (it has %s): use the ring that belongs to this store, put that line back,"+
		" or, where it is lost for good, remove what it sealed with the command key-ring forget %s",
		which, e.Key, strings.Join(e.Have, ", "), e.Key)
}

// Load reads the signing keys ahead of their first use, and fails with a
// [MissingKeyError] where one that still counts was sealed under a key that the
// ring lacks: else every login that signs would fail, and every token that it
// signed.
func (s *Signers) Load(ctx context.Context) error {
	rows, err := s.keys.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if err := CheckSigningKeys(rows, s.ring, s.now()); err != nil {
		return err
	}
	_, err = s.current(ctx)
	return err
}

// CheckSigningKeys fails as [Signers.Load] does.
func CheckSigningKeys(rows []store.SigningKey, ring *Ring, now time.Time) error {
	var missing *MissingKeyError
	for _, row := range rows {
		over := !row.Expires.IsZero() && !now.Before(row.Expires)
		id := SealedBy(row.Sealed)
		if over || !isKnown(row.Use) || id == "" || ring.has(row.Sealed) {
			continue
		}
		if missing == nil {
			missing = &MissingKeyError{Key: id, Have: ring.KeyIDs()}
		}
		if missing.Key == id {
			missing.Signing = append(missing.Signing, row.ID)
		}
	}
	if missing == nil {
		return nil
	}
	return missing
}
