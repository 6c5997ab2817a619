package password

import (
	"context"
	"crypto/rand"
	"runtime"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Options configures a [Hasher]. The zero value means the defaults.
type Options struct {
	// MemoryKiB, Time and Threads are the cost of new argon2id hashes: memory
	// in KiB, passes and lanes. 19 MiB, 2 and 1 by default, the least that
	// OWASP's Password Storage Cheat Sheet recommends.
	MemoryKiB, Time uint32
	Threads         uint8
	// Parallel is how many hashes run at once, each on a core and in its own
	// memory. Half the cores by default, at least one: a flood of logins then
	// leaves the other half to requests that have a credential already.
	Parallel int
	// Queue is how many callers may wait, 64 for each hash at once by default:
	// about as many as are served within Wait.
	Queue int
	// Wait is how long a caller waits at most, 2 s by default.
	Wait time.Duration
	// OnQueue is told how many wait whenever that changes, in order. It must
	// not block and must not call the Hasher.
	OnQueue func(waiting int)
}

// The defaults of [Options].
const (
	defaultMemoryKiB = 19 << 10
	defaultTime      = 2
	defaultWait      = 2 * time.Second
	queuePerHash     = 64
)

// MaxLength is the longest password in bytes. It stops a caller from having
// megabytes hashed.
const MaxLength = 1024

const (
	saltLength = 16
	keyLength  = 32
)

// Hasher makes and verifies password hashes. It is safe for concurrent use.
type Hasher struct {
	cost   argon2Cost
	bounds bounds
	queue  *queue
	decoy  argon2Hash
	// check does the work of one verification. Tests count its calls.
	check func(h hash, password []byte) bool
}

// New returns a [Hasher].
func New(o Options) *Hasher {
	cost := argon2Cost{
		memory: or(o.MemoryKiB, defaultMemoryKiB),
		time:   or(o.Time, defaultTime),
		lanes:  or(o.Threads, 1),
	}
	cost.memory = max(cost.memory, 8*uint32(cost.lanes)) // RFC 9106 section 3.1
	parallel := or(max(o.Parallel, 0), max(1, runtime.GOMAXPROCS(0)/2))
	return &Hasher{
		cost:   cost,
		bounds: defaultBounds.admitting(cost),
		queue:  newQueue(parallel, or(max(o.Queue, 0), queuePerHash*parallel), or(max(o.Wait, 0), defaultWait), o.OnQueue),
		// A hash that no password has: its key was not derived from one.
		decoy: argon2Hash{scheme: argon2id, cost: cost, salt: random(saltLength), key: random(keyLength)},
		check: hash.matches,
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// Make returns the PHC string to store for a password. [auth.Malformed] for an
// empty password and one longer than [MaxLength]; [auth.Unavailable] as for
// [Hasher.Verify].
func (h *Hasher) Make(ctx context.Context, pw auth.Secret) (auth.Secret, error) {
	if err := allowed(pw.Reveal()); err != nil {
		return auth.Secret{}, err
	}
	if err := h.queue.enter(ctx); err != nil {
		return auth.Secret{}, err
	}
	defer h.queue.leave()
	made := argon2Hash{scheme: argon2id, cost: h.cost, salt: random(saltLength)}
	made.key = made.derive([]byte(pw.Reveal()), keyLength)
	return auth.NewSecret(made.String()), nil
}

// Verify reports whether phc is the hash of pw, and then whether it is
// outdated, as [Hasher.Outdated] says.
//
// The work depends on phc alone: a password that cannot be right (empty,
// longer than [MaxLength], or one that the scheme would confuse with others)
// costs as much as one that is wrong. An empty phc, of an account without a
// password, costs what [Hasher.Decoy] costs and matches nothing.
//
// [auth.Unavailable] with a time to wait when the queue is full, the wait was
// too long or ctx ended first; [auth.Internal] when phc cannot be read.
func (h *Hasher) Verify(ctx context.Context, phc, pw auth.Secret) (ok, outdated bool, err error) {
	stored, unreadable := h.read(phc)
	if err := h.queue.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.queue.leave()
	ok = h.matches(stored, pw.Reveal())
	if unreadable != nil {
		return false, false, auth.Fail(auth.Internal, auth.ReasonForm, unreadable)
	}
	return ok, ok && h.outdated(stored), nil
}

// Decoy does the work of verifying pw against a hash of the configured cost
// and never tells a result: it is for an account that does not exist, so that
// nobody learns by the time it takes which do. Errors as for [Hasher.Verify].
func (h *Hasher) Decoy(ctx context.Context, pw auth.Secret) error {
	_, _, err := h.Verify(ctx, auth.Secret{}, pw)
	return err
}

// Known reports whether a stored string can be verified here, so that an
// import fails at once rather than each login. [auth.Malformed] with the cause:
// another scheme, a form that cannot be read, or a cost past the bounds. The
// error never holds any part of the string.
func (h *Hasher) Known(phc auth.Secret) error {
	_, err := parse(phc.Reveal(), h.bounds)
	return err
}

// Outdated reports whether a stored string should be made anew once its
// password is at hand: it is of another scheme than argon2id, or of a lower
// cost than the one configured. A string that cannot be read is not: there is
// no password that it could be made of.
func (h *Hasher) Outdated(phc auth.Secret) bool {
	stored, err := parse(phc.Reveal(), h.bounds)
	return err == nil && h.outdated(stored)
}

// Waiting returns how many callers wait for their turn.
func (h *Hasher) Waiting() int { return h.queue.length() }

func (h *Hasher) outdated(stored hash) bool {
	a, ok := stored.(argon2Hash)
	return !ok || a.weaker(h.cost)
}

// read returns the decoy where there is nothing to verify against, so that the
// work is always done.
func (h *Hasher) read(phc auth.Secret) (hash, error) {
	if phc.Empty() {
		return h.decoy, nil
	}
	stored, err := parse(phc.Reveal(), h.bounds)
	if err != nil {
		return h.decoy, err
	}
	return stored, nil
}

// matches does the whole work before it looks at anything else.
func (h *Hasher) matches(stored hash, pw string) bool {
	given, possible := []byte(pw), allowed(pw) == nil && stored.tells(pw)
	if !possible {
		given = []byte("stand-in")
	}
	return h.check(stored, given) && possible
}

// allowed returns an error for what is no password. An empty one is none: it
// is what a client sends that forgot to ask.
func allowed(pw string) error {
	switch {
	case pw == "":
		return auth.Fail(auth.Malformed, auth.ReasonForm, errEmpty)
	case len(pw) > MaxLength:
		return auth.Fail(auth.Malformed, auth.ReasonTooLarge, errLong)
	}
	return nil
}
