package gateway

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
)

// watchInterval is how often the feeds of changes are looked at, and lostAfter
// how long one has been silent before operators are told: one that is about to
// connect anew is no news.
const (
	watchInterval = time.Second
	lostAfter     = 2 * time.Second
)

var errUnheard = errors.New("it answers, but what others change is not heard")

// watch tells once that a feed is lost, and once that it is heard again: where
// nobody makes a request nothing else would.
func (rt *Runtime) watch(ctx context.Context, tell func(feed int, err error)) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	feeds := rt.Store.Feeds()
	told := make([]bool, len(feeds))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, state := range rt.Resolver.Feeds() {
			switch {
			case !told[i] && lost(state):
				_, err := feeds[i].Latest(ctx)
				tell(i, cmp.Or(err, errUnheard))
				told[i] = true
			case told[i] && !state.Broken:
				tell(i, nil)
				told[i] = false
			}
		}
	}
}

func lost(f authn.FeedState) bool { return f.Broken && (!f.Heard || f.Silent >= lostAfter) }
