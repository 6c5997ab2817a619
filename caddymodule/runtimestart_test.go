package caddymodule

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// TestAStartWaitsForAStoreThatIsSlow has a call fail a few times, for good, and
// for another reason.
func TestAStartWaitsForAStoreThatIsSlow(t *testing.T) {
	slow, broken := auth.Fail(auth.Unavailable, auth.ReasonStore, nil), auth.Fail(auth.Internal, auth.ReasonStore, nil)
	for _, one := range []struct {
		name  string
		fails int
		with  error
		tries int
		want  error
	}{
		{"for a moment", 3, slow, 4, nil},
		{"for good", 1 << 30, slow, int(persistence / persistPause), slow},
		{"another reason", 1 << 30, broken, 1, broken},
	} {
		t.Run(one.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, start := 0, time.Now()
				err := persist(t.Context(), func(context.Context) error {
					if tries++; tries <= one.fails {
						return one.with
					}
					return nil
				})
				if !errors.Is(err, one.want) || tries < one.tries || tries > one.tries+1 {
					t.Errorf("after %d tries %v, want %d and %v", tries, err, one.tries, one.want)
				}
				if took := time.Since(start); took > persistence {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
