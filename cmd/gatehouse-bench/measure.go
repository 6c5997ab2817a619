package main

import (
	"context"
	"slices"
)

// round is CPU microseconds per request of each proxy, measured one after the
// other.
type round struct{ bare, guarded float64 }

func (w *world) round(ctx context.Context, o options, guardedFirst bool) (r round, err error) {
	order := []struct {
		p    *proxy
		into *float64
	}{{w.bare, &r.bare}, {w.guarded, &r.guarded}}
	if guardedFirst { // a machine that slows down must not favour one of them
		slices.Reverse(order)
	}
	for _, one := range order {
		if *one.into, err = w.measure(ctx, o, one.p); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (w *world) measure(ctx context.Context, o options, p *proxy) (float64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	if err := send(ctx, o, p.address, w.tokens); err != nil {
		return 0, err
	}
	after, err := p.cpu()
	return float64((after - before).Microseconds()) / float64(o.requests), err
}

// medians returns the median of each column; that of the ratio is of the pairs.
func medians(all []round) (bare, guarded, ratio float64) {
	var a, b, c []float64
	for _, r := range all {
		a, b, c = append(a, r.bare), append(b, r.guarded), append(c, r.guarded/r.bare)
	}
	return median(a), median(b), median(c)
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
