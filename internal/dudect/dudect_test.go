package dudect

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) } //nolint:gosec // the same on every run

// noisy is n samples around 10 µs with 1 µs of noise, of which one in fifty is
// an interrupt of up to 1 ms.
func noisy(r *rand.Rand, n int, more time.Duration) []time.Duration {
	samples := make([]time.Duration, n)
	for i := range samples {
		samples[i] = 10*time.Microsecond + more + time.Duration(r.NormFloat64()*1000)
		if r.IntN(50) == 0 {
			samples[i] += time.Duration(r.Int64N(int64(time.Millisecond)))
		}
	}
	return samples
}

func TestWelchsTIsTheFormula(t *testing.T) {
	// Means 3 and 6, variances 2.5 and 10 over five each: -3/sqrt(0.5+2).
	p := Pair{A: []time.Duration{1, 2, 3, 4, 5}, B: []time.Duration{2, 4, 6, 8, 10}}
	if got, want := p.T(), -3/math.Sqrt(2.5); math.Abs(got-want) > 1e-9 {
		t.Errorf("t = %v, want %v", got, want)
	}
	for _, c := range []struct {
		name string
		p    Pair
		want float64
	}{
		{"classes without samples have t 0", Pair{}, 0},
		{"one sample says nothing", Pair{A: []time.Duration{1}, B: []time.Duration{2}}, 0},
		{"equal and without spread is 0", Pair{A: []time.Duration{3, 3}, B: []time.Duration{3, 3}}, 0},
		{"different and without spread has no end", Pair{A: []time.Duration{4, 4}, B: []time.Duration{3, 3}}, math.Inf(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.p.T(); got != c.want {
				t.Errorf("t = %v, want %v", got, c.want)
			}
		})
	}
}

func TestAPlantedDifferenceIsDetected(t *testing.T) {
	r := seeded()
	p := Pair{A: noisy(r, 10000, 100*time.Nanosecond), B: noisy(r, 10000, 0)}
	if got := p.T(); math.Abs(got) > Leak {
		t.Errorf("t = %.2f with the interrupts left in: they no longer hide anything here", got)
	}
	if got := p.Crop(0.95).T(); got < Leak {
		t.Errorf("t = %.2f after cropping, want above %.1f", got, Leak)
	}
	if got := p.Worst(); got < p.Crop(0.95).T() {
		t.Errorf("the worst t is %.2f", got)
	}
	turned := Pair{A: p.B, B: p.A}
	if got := turned.Worst(); got != -p.Worst() {
		t.Errorf("the other way round t is %.2f, not %.2f", got, -p.Worst())
	}
}

func TestEqualClassesAreNoLeak(t *testing.T) {
	r := seeded()
	p := Pair{A: noisy(r, 10000, 0), B: noisy(r, 10000, 0)}
	if got := p.Worst(); math.Abs(got) > Leak {
		t.Errorf("t = %.2f of samples that differ in nothing", got)
	}
}

func TestCroppingKeepsTheOrderAndItsInput(t *testing.T) {
	p := Pair{A: []time.Duration{9, 1, 5}, B: []time.Duration{2, 100, 3}}
	got := p.Crop(0.5)
	if len(got.A) != 2 || got.A[0] != 1 || got.A[1] != 5 || len(got.B) != 2 || got.B[1] != 3 {
		t.Errorf("cropped to %v", got)
	}
	if p.A[0] != 9 || p.B[1] != 100 {
		t.Errorf("the samples themselves were changed: %v", p)
	}
	if all := p.Crop(1); len(all.A) != 3 || len(all.B) != 3 {
		t.Errorf("a share of 1 dropped samples: %v", all)
	}
	if none := (Pair{}).Crop(0.5); len(none.A) != 0 {
		t.Errorf("got %v from nothing", none)
	}
}

func TestSamplesAreInterleavedAndOnlyTheCallIsTimed(t *testing.T) {
	var clock time.Time
	var order strings.Builder
	class := func(name string, took time.Duration) Class {
		return func(int) func() {
			clock = clock.Add(time.Hour) // preparing
			return func() {
				order.WriteString(name)
				clock = clock.Add(took)
			}
		}
	}
	p := Sample(200, seeded(), func() time.Time { return clock }, class("a", 3), class("b", 4))
	if len(p.A) != 200 || len(p.B) != 200 {
		t.Fatalf("%d and %d samples", len(p.A), len(p.B))
	}
	for i := range p.A {
		if p.A[i] != 3 || p.B[i] != 4 {
			t.Fatalf("sample %d: %d and %d", i, p.A[i], p.B[i])
		}
		if pair := order.String()[2*i : 2*i+2]; pair != "ab" && pair != "ba" {
			t.Fatalf("the calls %d were %q", i, pair)
		}
	}
	if n := strings.Count(order.String(), "abba"); n == 0 {
		t.Error("the order never turned")
	}
	if text := p.String(); !strings.Contains(text, "200 and 200 samples") {
		t.Errorf("logged as %q", text)
	}
}
