package gateway

import (
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
)

// assertionKey is what an assertion is good for. Holding the verdict itself
// keeps its address from becoming that of another.
type assertionKey struct {
	verdict            *authn.Verdict
	method, host, path string
}

type asserted struct {
	text string
	// until is when another is made.
	until time.Time
}

// assertionCache holds assertions in two generations: when the young one is
// full it becomes the old one, and the old one is dropped. So it is bounded in
// entries and bytes without a sweep, whatever paths clients ask for.
type assertionCache struct {
	mu         sync.RWMutex
	young, old map[assertionKey]asserted
	bytes      int // of the young one
}

// The bounds of one generation. A path may be as long as a header line, and an
// assertion has 8 KiB at most.
const (
	assertionEntries = 4096
	assertionBytes   = 4 << 20
)

func newAssertionCache() *assertionCache {
	return &assertionCache{young: map[assertionKey]asserted{}}
}

// get returns an assertion that serves now, "" for none.
func (c *assertionCache) get(k assertionKey, now time.Time) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, ok := c.young[k]
	if !ok {
		a = c.old[k]
	}
	if !now.Before(a.until) {
		return ""
	}
	return a.text
}

// put keeps an assertion. The texts of the key are copied: they are parts of a
// request's own.
func (c *assertionCache) put(k assertionKey, text string, until time.Time) {
	k.method, k.host, k.path = strings.Clone(k.method), strings.Clone(k.host), strings.Clone(k.path)
	size := len(k.method) + len(k.host) + len(k.path) + len(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= assertionEntries || c.bytes+size > assertionBytes {
		c.old, c.young, c.bytes = c.young, map[assertionKey]asserted{}, 0
	}
	if _, ok := c.young[k]; !ok {
		c.bytes += size
	}
	c.young[k] = asserted{text, until}
}
