// Package dudect tells whether two kinds of call can be told apart by the time
// they take: an unknown and a known login name, a key that is wrong in its
// first and in its last character. It supports tests; nothing that runs in
// production imports it.
//
// The method is that of Reparaz, Balasch and Verbauwhede, "Dude, is my code
// constant time?" (DATE 2017): the calls of both classes are interleaved in
// random order, so that what drifts on the machine drifts for both, the slowest
// ones are cropped, and Welch's t is taken of the rest. It knows neither what
// is measured nor what t is too large: see Leak for what is usual.
package dudect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Leak is the usual bound: above it in absolute value, a t from some thousand
// samples is no accident (p < 0.00001). On a machine with other work t is only
// to be reported.
const Leak = 4.5

// Class prepares the i-th call of its kind, from 0. Only the call that it
// returns is timed, so whatever differs between the classes and is no part of
// the question is done before.
type Class func(i int) (call func())

// Pair is the durations of two classes, in the order in which they were made.
type Pair struct{ A, B []time.Duration }

// Sample times n calls of each class, one of each in turn; order decides which
// of the two goes first.
func Sample(n int, order *rand.Rand, now func() time.Time, a, b Class) Pair {
	p := Pair{A: make([]time.Duration, 0, n), B: make([]time.Duration, 0, n)}
	for i := range n {
		callA, callB := a(i), b(i)
		if order.IntN(2) == 0 {
			p.A = append(p.A, timed(now, callA))
			p.B = append(p.B, timed(now, callB))
			continue
		}
		p.B = append(p.B, timed(now, callB))
		p.A = append(p.A, timed(now, callA))
	}
	return p
}

func timed(now func() time.Time, call func()) time.Duration {
	begun := now()
	call()
	return now().Sub(begun)
}

// Crop keeps the samples that are not above the share quantile of both classes
// together, a share between 0 and 1. Interrupts make the slowest samples, and
// their spread hides a difference of the rest.
func (p Pair) Crop(share float64) Pair {
	all := slices.Concat(p.A, p.B)
	if len(all) == 0 {
		return p
	}
	slices.Sort(all)
	limit := all[min(len(all)-1, int(share*float64(len(all))))]
	below := func(samples []time.Duration) []time.Duration {
		return slices.DeleteFunc(slices.Clone(samples), func(d time.Duration) bool { return d > limit })
	}
	return Pair{A: below(p.A), B: below(p.B)}
}

// T is Welch's t: above zero where the calls of A took longer. It is 0 where a
// class has fewer than two samples, and infinite where nothing varies and the
// classes differ all the same.
func (p Pair) T() float64 {
	if len(p.A) < 2 || len(p.B) < 2 {
		return 0
	}
	meanA, errorA := spread(p.A)
	meanB, errorB := spread(p.B)
	if meanA == meanB {
		return 0
	}
	return (meanA - meanB) / math.Sqrt(errorA+errorB)
}

// spread returns the mean of samples, in nanoseconds, and the square of its
// standard error.
func spread(samples []time.Duration) (mean, squared float64) {
	n := float64(len(samples))
	for _, d := range samples {
		mean += float64(d) / n
	}
	for _, d := range samples {
		squared += (float64(d) - mean) * (float64(d) - mean)
	}
	return mean, squared / (n - 1) / n
}

// crops are the shares that Worst looks at.
var crops = []float64{1, 0.99, 0.95, 0.9, 0.75, 0.5}

// Worst is the t that is farthest from 0 over all samples and several crops.
func (p Pair) Worst() float64 {
	worst := 0.0
	for _, share := range crops {
		if t := p.Crop(share).T(); math.Abs(t) > math.Abs(worst) {
			worst = t
		}
	}
	return worst
}

// Medians are the middle durations of the two classes, 0 for one without any.
func (p Pair) Medians() (a, b time.Duration) { return median(p.A), median(p.B) }

// String is the result as a test logs it.
func (p Pair) String() string {
	return fmt.Sprintf("t %.2f over all, %.2f at worst (a leak is above %.1f); medians %s and %s of %d and %d samples",
		p.T(), p.Worst(), Leak, median(p.A), median(p.B), len(p.A), len(p.B))
}

func median(samples []time.Duration) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}
