package entitytoken

import (
	"fmt"
	"strconv"
	"strings"
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

// lives are the bounds of the options. A token of more than ten years is one
// that nobody meant to end; an overlap is for calls under way.
var lives = map[string]struct{ least, most, usual time.Duration }{
	optMaxTTL:  {time.Second, 3650 * day, 365 * day},
	optOverlap: {0, time.Hour, 0},
}

func options() []dialect.Option {
	return []dialect.Option{
		{Name: optMaxTTL, Usage: "<duration>", Check: checkDuration(optMaxTTL)},
		{Name: optOverlap, Usage: "<duration>", Check: checkDuration(optOverlap)},
		{Name: optForward, Check: noArguments},
	}
}

func noArguments(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no argument, got %q", args[0])
	}
	return nil
}

func checkDuration(name string) func([]string) error {
	return func(args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("takes one duration, got %d arguments", len(args))
		}
		d, err := parseDuration(args[0])
		if err != nil {
			return fmt.Errorf("%q is not a duration like 90s, 12h or 30d", args[0])
		}
		if l := lives[name]; d < l.least || d > l.most {
			return fmt.Errorf("%q is not between %v and %v", args[0], l.least, l.most)
		}
		return nil
	}
}

// duration returns an option that has been checked, or its usual value.
func duration(cfg dialect.Config, name string) time.Duration {
	d, err := parseDuration(cfg.Arg(name, ""))
	if err != nil {
		return lives[name].usual
	}
	return d
}

// parseDuration reads what Caddy reads: a duration of Go, which may begin with
// whole days.
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(rest)
	return time.Duration(n)*day + d, err
}
