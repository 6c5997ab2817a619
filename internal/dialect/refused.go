package dialect

import "context"

type refusedKey struct{}

// WithRefused returns ctx with fn, which is told of every call of a dialect's
// own that is refused.
func WithRefused(ctx context.Context, fn func(error)) context.Context {
	return context.WithValue(ctx, refusedKey{}, fn)
}

// Refused tells that a call is refused, for the audit log. A dialect calls it
// once for each of its own calls that fails, whatever the cause.
func Refused(ctx context.Context, err error) {
	if fn, ok := ctx.Value(refusedKey{}).(func(error)); ok {
		fn(err)
	}
}
