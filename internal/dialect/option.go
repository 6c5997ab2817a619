package dialect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Option is an option of one dialect inside its login block.
type Option struct {
	Name string
	// Usage names the arguments, e.g. "<status>"; "" for a bare flag.
	Usage string
	// Check returns an error that says what is wrong with the arguments. It
	// completes a sentence that begins with the option.
	Check func(args []string) error
}

// Flag returns an option that takes no argument; see [Config.Flag].
func Flag(name string) Option {
	return Option{Name: name, Check: func(args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("takes no argument, got %q", args[0])
		}
		return nil
	}}
}

// Word returns an option that takes one of these words; see [Config.Arg].
func Word(name string, words ...string) Option {
	return Option{Name: name, Usage: strings.Join(words, "|"), Check: func(args []string) error {
		text, err := OneArgument(args, "of these words: "+strings.Join(words, ", "))
		if err == nil && !slices.Contains(words, text) {
			err = fmt.Errorf("cannot be %q", text)
		}
		return err
	}}
}

// Lasting returns an option that takes a duration between two others, of whole
// seconds where the least is one or more: wires count lives in seconds. See
// [Config.Duration].
func Lasting(name string, least, most time.Duration) Option {
	return Option{Name: name, Usage: "<duration>", Check: func(args []string) error {
		text, err := OneArgument(args, "duration")
		if err != nil {
			return err
		}
		d, err := parseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 90s, 12h or 30d", text)
		}
		if d < least || d > most {
			return fmt.Errorf("%q is not between %v and %v", text, least, most)
		}
		if least >= time.Second && d%time.Second != 0 {
			return fmt.Errorf("%q is not a number of whole seconds", text)
		}
		return nil
	}}
}

// OneArgument returns the only argument of an option; what it is completes
// "takes one".
func OneArgument(args []string, what string) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("takes one %s, got %d arguments", what, len(args))
	}
	return args[0], nil
}

// Flag reports whether an option is set.
func (c Config) Flag(name string) bool { _, ok := c.Options[name]; return ok }

// Arg returns the first argument of an option, usual without it.
func (c Config) Arg(name, usual string) string {
	if args := c.Options[name]; len(args) > 0 {
		return args[0]
	}
	return usual
}

// Duration returns an option that [Lasting] has checked, usual without it.
func (c Config) Duration(name string, usual time.Duration) time.Duration {
	d, err := parseDuration(c.Arg(name, ""))
	if err != nil {
		return usual
	}
	return d
}

const day = 24 * time.Hour

// parseDuration reads what Caddy reads: a duration of Go that may begin with
// whole days.
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, errors.New("the days are no number")
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(rest)
	return time.Duration(n)*day + d, err
}
