package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// KeyRefresh is how often the signing keys are read again where nobody says
	// that they changed.
	KeyRefresh = 10 * time.Second
	// signingBound is how old the keys that tokens are signed with may be, while
	// they are read again or cannot be: for this long a node may still sign with
	// a key that another retired.
	signingBound = 2 * KeyRefresh
	// missCoolDown is how long a kid that was not found is remembered. It
	// stops tokens of a deleted key, sent again and again, from becoming
	// queries.
	missCoolDown = 5 * time.Second
	// failCoolDown is how long a failed read is remembered, so that callers
	// do not queue up behind a store that is out of reach.
	failCoolDown = time.Second
	// loadTime bounds how long the one who reads waits, whatever the store does.
	loadTime = 250 * time.Millisecond
)

// keySet is the signing keys as they were read. It never changes.
type keySet struct {
	read time.Time
	// all holds the keys of every use; byHeader those that verify tokens.
	all      []*signingKey
	byHeader map[string]*signingKey
	// active is the newest key that signs, by use.
	active map[string]*signingKey
}

// reload reads the keys from the store. Callers hold the turn. A failure is
// given to those who ask again within [failCoolDown], unless it was only that
// the caller went away.
func (s *Signers) reload(ctx context.Context) (*keySet, error) {
	if s.failure != nil && within(s.now().Sub(s.failed), failCoolDown) {
		return nil, s.failure
	}
	s.changed.Store(false) // a change from here on is read the next time
	set, err := s.load(ctx)
	if err != nil {
		s.changed.Store(true)
		if ctx.Err() == nil {
			s.failure, s.failed = err, s.now()
		}
		return nil, err
	}
	s.failure = nil
	s.set.Store(set)
	return set, nil
}

func (s *Signers) load(ctx context.Context) (*keySet, error) {
	read := s.now()
	if _, bounded := store.Budget(ctx); !bounded {
		ctx = store.WithBudget(ctx, loadTime)
	}
	rows, err := s.keys.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	set := &keySet{read: read, byHeader: map[string]*signingKey{}, active: map[string]*signingKey{}}
	ids := map[string]bool{}
	for _, row := range rows {
		if ids[row.ID] {
			return nil, auth.Fail(auth.Internal, "", fmt.Errorf("two signing keys have the id %q", row.ID))
		}
		ids[row.ID] = true
		if !isKnown(row.Use) {
			continue
		}
		k := openSigningKey(row, s.ring)
		set.all = append(set.all, k)
		if signsTokens(row.Use) {
			set.byHeader[k.header] = k
		}
		if k.active { // rows come oldest first
			set.active[k.use] = k
		}
	}
	return set, nil
}

// within reports whether since is less than bound. A clock that was set back
// makes it negative, which is not.
func within(since, bound time.Duration) bool { return since >= 0 && since < bound }

// current returns the keys, reading them where that was never done or too
// long ago. While one caller reads again the others go on with what is known,
// and so does everyone while the store is out of reach: a key is no verdict,
// the session behind the token is still looked up.
func (s *Signers) current(ctx context.Context) (*keySet, error) {
	set := s.set.Load()
	if set == nil {
		return s.first(ctx)
	}
	if !s.changed.Load() && within(s.now().Sub(set.read), KeyRefresh) {
		return set, nil
	}
	select {
	case s.turn <- struct{}{}:
	default:
		return set, nil
	}
	defer s.done()
	if fresh, err := s.reload(ctx); err == nil {
		return fresh, nil
	}
	return set, nil
}

// recent is [Signers.current] for those who sign tokens. With keys that could
// not be read for too long none is signed: the one that signs may have been
// retired, and the token would end before its time.
func (s *Signers) recent(ctx context.Context) (*keySet, error) {
	set, err := s.current(ctx)
	if err != nil || within(s.now().Sub(set.read), signingBound) {
		return set, err
	}
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	if set = s.set.Load(); within(s.now().Sub(set.read), signingBound) {
		return set, nil
	}
	return s.reload(ctx)
}

// first reads the keys for the first time. Callers wait for one another, each
// no longer than its own context.
func (s *Signers) first(ctx context.Context) (*keySet, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	if set := s.set.Load(); set != nil {
		return set, nil
	}
	return s.reload(ctx)
}

// missing looks for the key of a header that is not among the known ones. Only
// ids made under our key ring get here; each asks the store once per
// [missCoolDown], so neither forged ids nor a burst of one id become a burst of
// queries. nil is a key that is not there.
func (s *Signers) missing(ctx context.Context, header, id string) (*signingKey, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	if k := s.set.Load().byHeader[header]; k != nil {
		return k, nil
	}
	if within(s.now().Sub(s.missed[id]), missCoolDown) {
		return nil, nil
	}
	set, err := s.reload(ctx)
	if err != nil {
		return nil, err
	}
	k := set.byHeader[header]
	if k == nil {
		s.missed[id] = s.now()
	}
	return k, nil
}

// take waits for the turn to read the store.
func (s *Signers) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return auth.Fail(auth.Unavailable, auth.ReasonTimeout, ctx.Err())
	}
}

func (s *Signers) done() { <-s.turn }

// signer returns the key that signs for use, and makes it where there is none.
// Of two nodes that make one at once the store lets one win; both then read
// the winner's.
func (s *Signers) signer(ctx context.Context, use string) (*signingKey, error) {
	read := s.recent
	if !signsTokens(use) { // no session ends with what it signs: better an old key than none
		read = s.current
	}
	set, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if k := set.active[use]; k != nil {
		return k, k.broken
	}
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	if k := s.set.Load().active[use]; k != nil {
		return k, k.broken
	}
	row, err := newSigningKey(algorithmFor(use), use, s.ring, s.now())
	if err != nil {
		return nil, err
	}
	err = s.keys.InsertSigningKey(ctx, row, true)
	if err != nil && auth.CodeOf(err) != auth.Conflict {
		return nil, err
	}
	if set, err = s.reload(ctx); err != nil {
		return nil, err
	}
	if k := set.active[use]; k != nil {
		return k, k.broken
	}
	return nil, auth.Fail(auth.Internal, "", errors.New("the store has no signing key after one was added"))
}
