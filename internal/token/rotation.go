package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// lifeStep is what the noted life of what a key signs is raised to whole
	// steps of, so that lives that differ by little are noted once.
	lifeStep = time.Minute
	// beyond is how much longer than what it signed a retired key verifies:
	// other nodes may go on signing with it for a while, by another clock.
	beyond = signingBound + clockSkew
	// raiseTries is how often a signature is begun again because its key was
	// retired at that moment.
	raiseTries = 5
)

// Forget has the keys read again before they are next used: another key may
// sign from now on. It does not block.
func (s *Signers) Forget() { s.changed.Store(true) }

// signerUntil returns the key that signs for use, once the store knows that
// what it signs lives until expires: from that follows how long the key
// verifies when it is retired.
func (s *Signers) signerUntil(ctx context.Context, use string, expires time.Time) (*signingKey, error) {
	for range raiseTries {
		k, err := s.signer(ctx, use)
		if err != nil {
			return nil, err
		}
		// A token is read through the second that begins with its exp.
		life := expires.Sub(s.now()) + time.Second
		if life <= time.Duration(k.longest.Load()) {
			return k, nil
		}
		life = (life + lifeStep - 1).Truncate(lifeStep)
		err = s.keys.RaiseSigningKey(ctx, k.id, life)
		if err == nil {
			k.raised(life)
			return k, nil
		}
		if !auth.IsNotFound(err) {
			return nil, err
		}
		if err := s.renew(ctx, k); err != nil { // it was retired a moment ago
			return nil, err
		}
	}
	return nil, auth.Fail(auth.Unavailable, "", errors.New("the signing keys change faster than they can be used"))
}

// renew reads the keys again unless that was done since k was the one to sign.
func (s *Signers) renew(ctx context.Context, k *signingKey) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.done()
	if s.set.Load().active[k.use] != k {
		return nil
	}
	_, err := s.reload(ctx)
	return err
}

// raised notes what the store knows.
func (k *signingKey) raised(life time.Duration) {
	for {
		known := k.longest.Load()
		if known >= int64(life) || k.longest.CompareAndSwap(known, int64(life)) {
			return
		}
	}
}

// Rotate has a new key of the same algorithm sign for use, here at once and on
// other nodes as soon as they hear of it, and returns its id. Keys that signed
// before verify until the last token they signed has expired. [auth.NotFound]
// where no key signs for use; [auth.Conflict] where another rotation of it came
// first, since of several at once one wins, and with a cause where the key was
// made under another key ring.
func (s *Signers) Rotate(ctx context.Context, use string) (id string, err error) {
	rows, err := s.keys.SigningKeys(ctx)
	if err != nil {
		return "", err
	}
	for _, row := range slices.Backward(rows) { // the newest signs
		if row.Use == use && row.Retired.IsZero() {
			return s.rotate(ctx, row)
		}
	}
	return "", auth.Fail(auth.NotFound, "", nil)
}

// rotate puts a new key in the place of one. That one need not open: a key that
// cannot be used any more is replaced like any other. But it must have been made,
// or sealed, under our key ring: those who have another could not open the new one.
func (s *Signers) rotate(ctx context.Context, old store.SigningKey) (id string, err error) {
	if !genuineKeyID(s.ring, old.ID) && !s.ring.has(old.Sealed) {
		return "", auth.Fail(auth.Conflict, "", fmt.Errorf("the signing key %q was made under another key ring than the one in use here", old.ID))
	}
	name := old.Algorithm
	if _, ok := algorithms[name]; !ok {
		name = algorithmFor(old.Use)
	}
	next, err := newSigningKey(name, old.Use, s.ring, s.now())
	if err != nil {
		return "", err
	}
	if !next.Created.After(old.Created) { // the newest signs, by whichever clock
		next.Created = old.Created.Add(time.Millisecond)
	}
	if err := s.keys.RotateSigningKey(ctx, old.ID, next, beyond); err != nil {
		return "", err
	}
	s.Forget()
	return next.ID, nil
}

// Tend rotates the keys that have signed for lifetime, none where that is 0,
// and deletes those that verify nothing any more. Several nodes may do so at
// once. A [MissingKeyError] says that there are keys which the ring does not
// open: those of a node with another ring, which came after [Signers.Load].
func (s *Signers) Tend(ctx context.Context, lifetime time.Duration) error {
	rows, err := s.keys.SigningKeys(ctx)
	if err != nil {
		return err
	}
	now, signs := s.now(), map[string]store.SigningKey{}
	for _, row := range rows {
		switch {
		case row.Retired.IsZero():
			signs[row.Use] = row
		case !row.Expires.IsZero() && !now.Before(row.Expires):
			err = errors.Join(err, s.keys.DeleteSigningKey(ctx, row.ID))
		}
	}
	for use, row := range signs {
		if lifetime <= 0 || !isKnown(use) || now.Sub(row.Created) < lifetime {
			continue
		}
		if _, e := s.rotate(ctx, row); e != nil && auth.CodeOf(e) != auth.Conflict {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, CheckSigningKeys(rows, s.ring, now))
}
