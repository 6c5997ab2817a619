package redisstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// revokeStep is how many rows one script removes at most: about ten milliseconds,
// in which the server answers nobody, and far less than the timeout of an
// exchange on a machine that is busy.
const revokeStep = 500

// RevokeSessions implements [store.Sessions]. More than some hundred rows are
// removed in several steps; the change is recorded with the first and with each
// further one, so that what appears in between is withdrawn too.
func (s *Sessions) RevokeSessions(ctx context.Context, realm string, m store.SessionMatch) (n int, err error) {
	defer s.observed("revoke_sessions", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	if m.Zero() {
		return 0, nil
	}
	kind, id := owner(m)
	source, also := leads(realm, m)
	args := append([]string{"", realm, string(kind), id, decimal(revokeStep), source}, also...)
	for more := true; more; {
		args[0] = rand.Text()
		result, err := s.run(ctx, revokeScript, args...)
		if err != nil {
			return n, failure(err)
		}
		removed, rest, entered, err := readRevocation(result)
		if err != nil {
			return n, err
		}
		n, more = n+removed, rest
		ctx = store.WithoutBudget(ctx) // the server answers, and half of it is not enough
		if err := s.deliver(entered); err != nil {
			return n, err
		}
	}
	return n, nil
}

func readRevocation(result rueidis.RedisResult) (removed int, more bool, entered rueidis.RedisMessage, err error) {
	reply, err := result.ToArray()
	if err != nil || len(reply) != 3 {
		return 0, false, entered, unavailable(errReply)
	}
	n, err1 := reply[0].AsInt64()
	rest, err2 := reply[1].AsInt64()
	if err1 != nil || err2 != nil {
		return 0, false, entered, unavailable(errReply)
	}
	return int(n), rest != 0, reply[2], nil
}

// owner is what the one change of a revocation is of; "" for one of each session.
func owner(m store.SessionMatch) (store.ChangeKind, string) {
	switch {
	case m.Subject != "":
		return store.SubjectChanged, m.Subject
	case m.KeyID != 0:
		return store.KeyChanged, strconv.FormatInt(m.KeyID, 10)
	case m.Tenant != "":
		return store.TenantChanged, m.Tenant
	}
	return "", ""
}

// leads returns the name that leads to the fewest rows of m, and the names that
// the rows must bear besides.
func leads(realm string, m store.SessionMatch) (source string, also []string) {
	var all []string
	add := func(set bool, name func() string) {
		if set {
			all = append(all, name())
		}
	}
	text := func(letter byte, value string) {
		add(value != "", func() string { return name(letter, realm, value) })
	}
	text(rowName, m.ID)
	add(!m.Digest.IsZero(), func() string { return digestOf(realm, m.Digest) })
	text(familyName, m.Family)
	text(subjectName, m.Subject)
	add(m.KeyID != 0, func() string { return keyOf(realm, m.KeyID) })
	text(tenantName, m.Tenant)
	text(unitName, m.Unit)
	text(dialectName, m.Dialect)
	return all[0], all[1:]
}
