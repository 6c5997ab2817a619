package token

import (
	"encoding/binary"
	"testing"
)

// TestT10AMillionTokensAreDifferentAndUnbiased: no two are equal, each bit is
// set in half of them and each beginning of a byte or two is as frequent as any
// other, all within bounds that chance passes once in a billion runs.
func TestT10AMillionTokensAreDifferentAndUnbiased(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	var ones [128]int
	var first [256]int
	pairs := make([]int, 1<<16)
	seen := make(map[[16]byte]struct{}, n)
	for range n {
		r := Random()
		seen[r] = struct{}{}
		first[r[0]]++
		pairs[binary.BigEndian.Uint16(r[14:])]++
		for half := range 2 {
			for v, bit := binary.BigEndian.Uint64(r[8*half:]), 64*half; v != 0; v, bit = v>>1, bit+1 {
				ones[bit] += int(v & 1)
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d are different", len(seen), n)
	}
	for bit, count := range ones {
		// 7 standard deviations of a fair coin, squared: n/4 each.
		if d := count - n/2; d*d > 49*n/4 {
			t.Errorf("bit %d was set %d times of %d", bit, count, n)
		}
	}
	uniform(t, "the first byte", first[:], n)
	uniform(t, "the last two bytes", pairs, n)
}

// uniform holds counts against an even spread: chi-square has as many degrees
// of freedom as there are other cells, and twice that for its variance.
func uniform(t *testing.T, what string, counts []int, n int) {
	t.Helper()
	even, sum := float64(n)/float64(len(counts)), 0.0
	for _, c := range counts {
		sum += (float64(c) - even) * (float64(c) - even) / even
	}
	free := float64(len(counts) - 1)
	if d := sum - free; d*d > 8*8*2*free {
		t.Errorf("%s: chi-square is %.0f for %.0f degrees of freedom", what, sum, free)
	}
}
