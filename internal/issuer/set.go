package issuer

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxKeys bounds the keys of one set, maxKeyID the length of their names.
const (
	maxKeys  = 100
	maxKeyID = 256
)

// set is the keys of an issuer as they were read. It never changes.
type set struct {
	keys []*Key
	// read is when the issuer was asked, in Unix nanoseconds.
	read int64
}

// newSet reads a JWK set (RFC 7517 section 5). Keys that do not count are
// ignored, and all of those that share a name: which of them a token means is
// anyone's guess.
func newSet(text []byte, read time.Time) (*set, error) {
	members, err := decode(text)
	if err != nil {
		return nil, err
	}
	list, ok := members["keys"].([]any)
	if !ok {
		return nil, errors.New("it has no list of keys")
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("it has %d keys: there may be %d", len(list), maxKeys)
	}
	s := &set{read: read.UnixNano()}
	named := map[string]int{}
	for _, one := range list {
		jwk, ok := one.(map[string]any)
		if !ok {
			continue
		}
		id, _ := jwk["kid"].(string)
		named[id]++
		if k, err := newKey(jwk); err == nil {
			s.keys = append(s.keys, k)
		}
	}
	s.keys = slices.DeleteFunc(s.keys, func(k *Key) bool { return k.id != "" && named[k.id] > 1 })
	return s, nil
}

// adopt takes over the keys that the issuer published before and still does,
// and drops the others. old may be nil.
func (s *set) adopt(old *set) {
	if old == nil {
		return
	}
	for _, before := range old.keys {
		i := slices.IndexFunc(s.keys, before.same)
		if i < 0 {
			before.dropped.Store(true)
			continue
		}
		s.keys[i] = before
	}
}

// find returns the key of a token's header, nil where there is none. known is
// whether asking the issuer again could not help: the key is there, and not
// for this. Without a kid there must be no choice.
func (s *set) find(h header) (k *Key, known bool) {
	for _, candidate := range s.keys {
		switch {
		case h.keyID != "" && candidate.id != h.keyID:
		case !candidate.verifies(h.algorithm):
			known = h.keyID != ""
		case k != nil:
			return nil, true
		default:
			k = candidate
		}
	}
	return k, known
}
