package entitytoken

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The options of this dialect.
const (
	// optMaxTTL is the longest life that a change of the expiry may give,
	// counted from the change.
	optMaxTTL = "max_ttl"
	// optOverlap is for how long a token that was refreshed is good on proxied
	// calls beside the new one.
	optOverlap = "overlap"
	// optForward lets all other paths below the base pass to the guard: an API
	// that knows this token has more calls there.
	optForward = "forward_others"
)

const day = 24 * time.Hour

// The bounds and the usual values of the options. A token of more than ten
// years is one that nobody meant to end; an overlap is for calls under way.
const (
	leastMaxTTL, usualMaxTTL, mostMaxTTL = time.Second, 365 * day, 3650 * day
	mostOverlap                          = time.Hour
)

func options() []dialect.Option {
	return []dialect.Option{
		dialect.Lasting(optMaxTTL, leastMaxTTL, mostMaxTTL),
		dialect.Lasting(optOverlap, 0, mostOverlap),
		dialect.Flag(optForward),
	}
}
