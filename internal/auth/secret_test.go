package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// TestComparingTakesAsLongWhereverTwoDiffer: how much of a guess is right must
// not show. The bound is far above the noise of a busy machine and far below
// what a byte by byte comparison that can be measured over a network costs.
func TestComparingTakesAsLongWhereverTwoDiffer(t *testing.T) {
	const n, bound = 4001, 3 * time.Microsecond
	right := strings.Repeat("k", 32)
	early, late := "x"+right[1:], right[:31]+"x"
	digest := func(text string) (d auth.Digest) { copy(d[:], text); return d }
	for name, equal := range map[string]func(guess string) bool{
		"secrets": func(guess string) bool { return auth.NewSecret(right).Equal(auth.NewSecret(guess)) },
		"digests": func(guess string) bool { return digest(right).Equal(digest(guess)) },
	} {
		t.Run(name, func(t *testing.T) {
			if !equal(right) || equal(early) || equal(late) {
				t.Fatal("compared wrongly")
			}
			took := map[string][]time.Duration{}
			for range n { // in turn, so that noise falls on both
				for _, guess := range []string{early, late} {
					began := time.Now()
					equal(guess)
					took[guess] = append(took[guess], time.Since(began))
				}
			}
			median := func(guess string) time.Duration { slices.Sort(took[guess]); return took[guess][n/2] }
			if a, b := median(early), median(late); (b - a).Abs() > bound {
				t.Errorf("%v where the first byte is wrong, %v where the last one is", a, b)
			}
		})
	}
}
