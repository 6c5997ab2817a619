package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// RingKey is what depends on one key of the key ring, or on one that the ring
// lacks.
type RingKey struct {
	// ID is derived from the key, which nobody can tell from it.
	ID string `json:"id"`
	// InRing is whether the ring has it, Seals whether it seals what is sealed
	// from now on.
	InRing bool `json:"in_ring"`
	Seals  bool `json:"seals"`
	// SigningKeys and Sessions count what it sealed, in all realms.
	SigningKeys int `json:"signing_keys"`
	Sessions    int `json:"sessions"`
	// Broken counts those of them that do not open although the key is there:
	// they were changed, or belong to another row.
	Broken int `json:"broken"`
}

// RingUse is what depends on a key ring.
type RingUse struct {
	// Keys are those of the ring in its order, then those that it lacks.
	Keys []RingKey
	// Codes are authentication codes. Each is kept as its MAC under the key
	// that was the first when it was set: nobody can tell which one.
	Codes int
}

// maxProblems bounds [RingUse.Problems]: bytes that were changed may name any key.
const maxProblems = 20

// Problems says in a sentence each what does not open.
func (u RingUse) Problems() (all []string) {
	for _, k := range u.Keys {
		switch {
		case len(all) == maxProblems:
			return append(all, "and so on: there are more such keys")
		case k.ID == unknownForm:
			all = append(all, fmt.Sprintf("%d signing keys and %d tokens have no form of a sealed value: they were changed behind the gateway, or a newer one sealed them",
				k.SigningKeys, k.Sessions))
		case !k.InRing:
			all = append(all, fmt.Sprintf("the key %s is not in the key ring, and sealed %d signing keys and %d tokens: put its line back, or use the ring that belongs to this store",
				k.ID, k.SigningKeys, k.Sessions))
		}
		if k.Broken > 0 {
			all = append(all, fmt.Sprintf("%d rows that the key %s sealed do not open: they were changed behind the gateway", k.Broken, k.ID))
		}
	}
	return all
}

// unknownForm stands for the id of a key where something is in no form of a
// sealed value.
const unknownForm = "unknown"

// ringCount counts by key.
type ringCount struct {
	ring *token.Ring
	keys map[string]*RingKey
}

func newRingCount(ring *token.Ring) *ringCount {
	c := &ringCount{ring: ring, keys: map[string]*RingKey{}}
	for i, id := range ring.KeyIDs() {
		c.keys[id] = &RingKey{ID: id, InRing: true, Seals: i == 0}
	}
	return c
}

// of returns the key that sealed something, and notes whether that opens.
func (c *ringCount) of(sealed, associated []byte) *RingKey {
	id := token.SealedBy(sealed)
	if id == "" {
		id = unknownForm
	}
	k := c.keys[id]
	if k == nil {
		k = &RingKey{ID: id}
		c.keys[id] = k
	}
	if !k.InRing {
		return k
	}
	if _, err := c.ring.Open(sealed, associated); err != nil {
		k.Broken++
	}
	return k
}

// list returns the keys of the ring in its order, then the others.
func (c *ringCount) list() (all []RingKey) {
	ids := c.ring.KeyIDs()
	for _, id := range slices.Sorted(maps.Keys(c.keys)) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		all = append(all, *c.keys[id])
	}
	return all
}

// sealedParts are the parts of a store that keep what is sealed.
func (a *Admin) sealedParts() (store.SealedKeys, store.SealedSessions, error) {
	keys, one := a.Store.SigningKeys.(store.SealedKeys)
	sessions, two := a.Store.Sessions.(store.SealedSessions)
	if !one || !two {
		return nil, nil, auth.Fail(auth.Internal, "", errors.New("this store cannot say what is sealed in it"))
	}
	return keys, sessions, nil
}

// RingUse counts what depends on each key of the ring, and opens all of it. step
// is called after each row with how many there were.
func (a *Admin) RingUse(ctx context.Context, step func(done int)) (RingUse, error) {
	keys, sessions, err := a.sealedParts()
	if err != nil {
		return RingUse{}, err
	}
	ring, err := a.Ring(ctx)
	if err != nil {
		return RingUse{}, err
	}
	count, done := newRingCount(ring), 0
	err = a.SigningKeys(ctx, func(row store.SigningKey) error {
		if len(row.Sealed) > 0 {
			count.of(row.Sealed, token.BindSigningKey(row)).SigningKeys++
		}
		done++
		step(done)
		return nil
	})
	if err != nil {
		return RingUse{}, err
	}
	err = sessions.WalkSealed(ctx, func(row store.SealedRow) error {
		count.of(row.Sealed, token.BindSession(row.Realm, row.ID)).Sessions++
		done++
		step(done)
		return nil
	})
	if err != nil {
		return RingUse{}, err
	}
	codes, err := keys.CountCodes(ctx)
	return RingUse{Keys: count.list(), Codes: codes}, err
}

// Resealed is how a reseal ended.
type Resealed struct {
	// SigningKeys and Sessions were sealed anew.
	SigningKeys int `json:"signing_keys"`
	Sessions    int `json:"sessions"`
	// Left are rows that could not be, since they do not open.
	Left int `json:"left"`
}

// Reseal seals anew, under the first key of the ring, whatever is sealed under
// another one that the ring has. A gateway may run beside it: a row that it
// replaces at the same time is looked at again. What does not open is left as it
// is and counted. Interrupted, it goes on where it is run again. step is called
// after each row that was looked at.
func (a *Admin) Reseal(ctx context.Context, step func(done int)) (Resealed, error) {
	r := &resealing{step: step}
	var err error
	if r.keys, r.sessions, err = a.sealedParts(); err != nil {
		return r.all, err
	}
	if r.ring, err = a.Ring(ctx); err != nil {
		return r.all, err
	}
	// Who replaced a row at the same time may have put back what was sealed
	// before: only a pass that finds nothing more is the last.
	for range maxPasses {
		r.found, r.all.Left = 0, 0
		if err := a.SigningKeys(ctx, func(row store.SigningKey) error { return r.signingKey(ctx, row) }); err != nil {
			return r.all, err
		}
		if err := r.sessions.WalkSealed(ctx, func(row store.SealedRow) error { return r.session(ctx, row) }); err != nil {
			return r.all, err
		}
		if r.found == 0 {
			return r.all, nil
		}
	}
	return r.all, refused("%d rows were replaced again and again meanwhile: run it again", r.found)
}

// maxPasses bounds [Admin.Reseal].
const maxPasses = 10

// resealing is a reseal under way.
type resealing struct {
	ring     *token.Ring
	keys     store.SealedKeys
	sessions store.SealedSessions
	step     func(int)
	all      Resealed
	found    int // in this pass, to be sealed anew
	seen     int
}

func (r *resealing) signingKey(ctx context.Context, row store.SigningKey) error {
	return r.row(row.Sealed, token.BindSigningKey(row), &r.all.SigningKeys, func(sealed []byte) error {
		return r.keys.ResealSigningKey(ctx, row.ID, row.Sealed, sealed)
	})
}

func (r *resealing) session(ctx context.Context, row store.SealedRow) error {
	return r.row(row.Sealed, token.BindSession(row.Realm, row.ID), &r.all.Sessions, func(sealed []byte) error {
		return r.sessions.ResealSession(ctx, row, sealed)
	})
}

func (r *resealing) row(sealed, associated []byte, done *int, put func([]byte) error) error {
	r.seen++
	r.step(r.seen)
	if len(sealed) == 0 || r.ring.Seals(sealed) {
		return nil
	}
	anew, err := r.ring.Reseal(sealed, associated)
	if err != nil {
		r.all.Left++
		return nil //nolint:nilerr // it is counted, and the rest goes on
	}
	r.found++
	err = put(anew)
	if err == nil {
		*done++
	}
	if err != nil && auth.CodeOf(err) == auth.Conflict { // somebody replaced it meanwhile
		return nil
	}
	return err
}

// ForgetRingKey deletes the signing keys that a key sealed which the ring lacks,
// so that a gateway whose key is lost for good makes new ones. It returns how
// many; one that the ring has is refused, and so is one that sealed none.
func (a *Admin) ForgetRingKey(ctx context.Context, id string) (n int, err error) {
	ring, err := a.Ring(ctx)
	if err != nil {
		return 0, err
	}
	if slices.Contains(ring.KeyIDs(), id) {
		return 0, refused("the key %s is in the key ring: nothing that it sealed is lost", id)
	}
	err = a.SigningKeys(ctx, func(row store.SigningKey) error {
		if token.SealedBy(row.Sealed) != id {
			return nil
		}
		n++
		return a.Store.SigningKeys.DeleteSigningKey(ctx, row.ID)
	})
	if err == nil && n == 0 {
		err = auth.Fail(auth.NotFound, "", errors.New("no signing key of the store is sealed under that key"))
	}
	if err != nil {
		return n, err
	}
	return n, a.Store.Changes.Record(ctx, store.Change{Kind: store.SigningKeysChanged})
}

// Dispensable fails unless a key of the ring can be taken out: it must be there,
// have sealed nothing that is kept, and not be the one that seals. Codes may need
// it, unless that is accepted.
func (u RingUse) Dispensable(id string, despiteCodes bool) error {
	for _, k := range u.Keys {
		switch {
		case k.ID != id:
			continue
		case !k.InRing:
			return refused("the key %s is not in the key ring: there is nothing to remove", id)
		case k.Seals:
			return refused("the key %s is the one that seals: rotate first", id)
		case k.SigningKeys+k.Sessions > 0:
			return refused("%d signing keys and %d tokens are sealed under the key %s: reseal first", k.SigningKeys, k.Sessions, id)
		case u.Codes > 0 && !despiteCodes:
			return refused("there are %d authentication codes, which may need the key %s: set them anew, or say --despite-codes to lose those that do", u.Codes, id)
		}
		return nil
	}
	return auth.Fail(auth.NotFound, "", fmt.Errorf("there is no key %q in the key ring", id))
}
