package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// A name is what stands in a key for a value: a letter for what it is of, and a
// hash. So no value of a client is ever part of a key, whatever is in it, all
// names are equally long, and who reads the keys learns nothing.
const (
	rowName      = 'i' // a row, by its id
	digestName   = 'd' // leads to a row
	slotName     = 'l'
	subjectName  = 's' // leads to rows
	familyName   = 'f'
	keyName      = 'k'
	tenantName   = 't'
	identityName = 'n'
	kindName     = 'o' // of one-time tokens only
	dialectName  = 'a' // marks a row
	unitName     = 'u'
)

// none stands where a row has no such name.
const none = "-"

// nameBytes is how much of a hash is kept: as much as nobody finds two values for.
const nameBytes = 24

// name returns the name of a value of a realm.
func name(letter byte, realm, value string) string {
	h := sha256.New()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(realm)))
	_, _ = h.Write(length[:]) // a hash takes everything
	_, _ = h.Write([]byte(realm))
	_, _ = h.Write([]byte(value))
	return string(letter) + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:nameBytes])
}

// optional is name, but none for an empty value.
func optional(letter byte, realm, value string) string {
	if value == "" {
		return none
	}
	return name(letter, realm, value)
}

func rowOf(realm, id string) string { return name(rowName, realm, id) }

func digestOf(realm string, d auth.Digest) string { return name(digestName, realm, string(d[:])) }

// keyOf is the name of an API key's sessions.
func keyOf(realm string, id int64) string {
	return name(keyName, realm, strconv.FormatInt(id, 10))
}

// indexes are the names under which a row is found beside others.
func indexes(s store.Session) []string {
	var names []string
	add := func(letter byte, value string) {
		if value != "" {
			names = append(names, name(letter, s.Realm, value))
		}
	}
	add(subjectName, s.Subject)
	add(familyName, s.Family)
	add(tenantName, s.Tenant)
	add(identityName, s.Identity)
	if s.Kind == store.OneTimeToken {
		add(kindName, string(s.Kind))
	}
	if s.KeyID != 0 {
		names = append(names, keyOf(s.Realm, s.KeyID))
	}
	return names
}

// marks are what a revocation can ask for beside an index.
func marks(s store.Session) []string {
	var names []string
	if s.Dialect != "" {
		names = append(names, name(dialectName, s.Realm, s.Dialect))
	}
	if s.Unit != "" {
		names = append(names, name(unitName, s.Realm, s.Unit))
	}
	return names
}
