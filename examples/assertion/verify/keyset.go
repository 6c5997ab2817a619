package verify

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrKeys is why nothing can be said of an assertion: the gateway's keys could
// not be fetched.
var ErrKeys = errors.New("the keys of the gateway are out of reach")

const (
	// keyPause is how long is waited between two fetches: unknown kids must
	// not become requests to the gateway.
	keyPause = 5 * time.Second
	// keyAge is how old the set may be: a key that the gateway removed is
	// refused from then on.
	keyAge       = 10 * time.Minute
	fetchTimeout = 5 * time.Second
	maxSet       = 64 << 10 // bytes
)

// KeySet is the public keys of a gateway. It is fetched when a kid is not
// known, and from time to time.
type KeySet struct {
	// URL is that of /.well-known/jwks.json; https, unless it is this machine.
	URL string
	// Client fetches; nil is [http.DefaultClient].
	Client *http.Client

	set atomic.Pointer[fetched]
	// turn is held by whoever fetches, and guards what follows.
	turn  sync.Mutex
	tried time.Time
	err   error
}

type fetched struct {
	keys map[string]ed25519.PublicKey
	at   time.Time
}

// key returns the key of that kid. One caller at a time fetches; those who have
// a key go on with it meanwhile, and where the gateway is out of reach.
func (s *KeySet) key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	known, old := s.known(kid)
	if known != nil && !old {
		return known, nil
	}
	if known == nil {
		s.turn.Lock()
	} else if !s.turn.TryLock() {
		return known, nil
	}
	defer s.turn.Unlock()
	if time.Since(s.tried) >= keyPause {
		s.renew(ctx)
	}
	if k, _ := s.known(kid); k != nil {
		return k, nil
	}
	if s.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, s.err)
	}
	return nil, errors.New("no key has this kid")
}

// known returns the key of that kid, nil for none, and whether the set is old.
func (s *KeySet) known(kid string) (k ed25519.PublicKey, old bool) {
	set := s.set.Load()
	if set == nil {
		return nil, true
	}
	return set.keys[kid], time.Since(set.at) >= keyAge
}

// renew fetches; the caller has the turn.
func (s *KeySet) renew(ctx context.Context) {
	keys, err := s.fetch(ctx)
	s.tried, s.err = time.Now(), err
	if err == nil {
		s.set.Store(&fetched{keys, s.tried})
	}
}

func (s *KeySet) fetch(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	// Others wait for the same answer: it does not end with this request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway answered %d", answer.StatusCode)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Kid, Alg, X string }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxSet)).Decode(&set); err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.Kty == "OKP" && k.Crv == "Ed25519" && k.Alg == algorithm && err == nil && len(x) == ed25519.PublicKeySize {
			keys[k.Kid] = x
		}
	}
	return keys, nil
}

type claimsKey struct{}

func with(ctx context.Context, c *Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

// From returns the claims of a request that [Verifier.Handler] let pass.
func From(ctx context.Context) *Claims {
	c, _ := ctx.Value(claimsKey{}).(*Claims)
	return c
}
