package authn_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// failingFeed fails as often as it is told to.
type failingFeed struct {
	store.Changes
	failures atomic.Int64
}

func (f *failingFeed) Since(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, errors.New("feed broken")
	}
	return f.Changes.Since(ctx, after, limit)
}

func TestAFeedThatIsLostIsToldOnceAndThatItIsBackOnce(t *testing.T) {
	for failures, want := range map[int64][]string{
		0:    nil,
		1:    nil, // a machine that was busy for a moment
		2:    {"lost: feed broken", "back"},
		1000: {"lost: feed broken", "back"},
	} {
		t.Run(strconv.FormatInt(failures, 10)+" failures", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(failingFeed)
				var told []string
				w := newWorld(t, func(cfg *authn.Config) {
					f.Changes = cfg.Store.Changes
					cfg.Store.Changes = f
					cfg.Turned = func(feed int, lost error) {
						switch {
						case feed != 0:
							t.Errorf("feed %d", feed)
						case lost == nil:
							told = append(told, "back")
						default:
							told = append(told, "lost: "+lost.Error())
						}
					}
				})
				synctest.Wait()
				w.settle()
				for range 2 {
					told = nil
					f.failures.Store(failures)
					pass(time.Hour)
					if !slices.Equal(told, want) {
						t.Errorf("told was %q, want %q", told, want)
					}
				}
			})
		})
	}
}
