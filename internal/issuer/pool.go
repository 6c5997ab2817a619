package issuer

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Pool keeps the keys of all issuers that the sites of a process trust. It
// outlives configurations: a reload does not ask anybody again, and nobody is
// asked before there is a token to verify.
type Pool struct {
	now    func() time.Time
	client *http.Client
	ctx    context.Context // ends with the pool
	cancel func()
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
	keys   map[Source]*Keys
}

var errClosed = errors.New("the gateway is shutting down")

// NewPool returns a pool without keys. client fetches them; nil is one with
// the bounds of this package.
func NewPool(now func() time.Time, client *http.Client) *Pool {
	if client == nil {
		client = newClient()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Pool{now: now, client: client, ctx: ctx, cancel: cancel, keys: map[Source]*Keys{}}
}

// Close ends what is under way and waits for it.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
}

// start runs f beside, unless the pool is closed.
func (p *Pool) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Go(f)
	return true
}

// of returns the keys of a source. Sources come from configurations alone, so
// there are few.
func (p *Pool) of(s Source) *Keys {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[s]
	if k == nil {
		k = &Keys{source: s, pool: p}
		p.keys[s] = k
	}
	return k
}
