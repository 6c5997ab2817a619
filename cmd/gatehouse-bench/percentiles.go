package main

import (
	"fmt"
	"slices"
	"time"
)

// percentiles sums up how long calls took.
type percentiles struct {
	// missed of the n calls were answered unavailable.
	n, missed               int
	p50, p99, p999, longest time.Duration
	// calm is the median of what the 99th percentile is of each window: what
	// else the machine does comes in bursts, a cost of the store does not.
	calm time.Duration
}

// window is how many calls, one after the other, have a percentile of their own.
const window = 1000

func percentilesOf(took []time.Duration, missed int) percentiles {
	if len(took) == 0 {
		return percentiles{}
	}
	var parts []time.Duration
	for part := range slices.Chunk(slices.Clone(took), window) {
		slices.Sort(part)
		parts = append(parts, ranked(part, 990))
	}
	slices.Sort(parts)
	slices.Sort(took)
	return percentiles{len(took), missed, ranked(took, 500), ranked(took, 990), ranked(took, 999), took[len(took)-1], ranked(parts, 500)}
}

// ranked returns what so many thousandths of the values, in order, are not above.
func ranked(sorted []time.Duration, thousandths int) time.Duration {
	return sorted[(len(sorted)-1)*thousandths/1000]
}

func (p percentiles) String() string {
	text := fmt.Sprintf("p50 %s, p99 %s (median of each 1,000: %s), p99.9 %s, longest %s (%d)",
		short(p.p50), short(p.p99), short(p.calm), short(p.p999), short(p.longest), p.n)
	if p.missed > 0 {
		text += fmt.Sprintf(", %d answered unavailable", p.missed)
	}
	return text
}

func short(d time.Duration) string { return d.Round(time.Microsecond).String() }
