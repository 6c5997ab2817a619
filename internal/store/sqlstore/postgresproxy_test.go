package sqlstore

import (
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between a store and its server.
type proxy struct {
	address string
	server  string
	listen  net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	refuses bool
	hole    chan struct{} // nil, or closed when packets no longer vanish
	delay   time.Duration
	done    sync.WaitGroup
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), server: server, listen: l, conns: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		p.pass()
		_ = l.Close()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuses := p.refuses
		p.mu.Unlock()
		if refuses {
			_ = c.Close()
			continue
		}
		up, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = c.Close()
			continue
		}
		p.mu.Lock()
		p.conns[c], p.conns[up] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.done.Go(func() { p.copy(c, up) })
		p.done.Go(func() { p.copy(up, c) })
	}
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		hole, delay := p.hole, p.delay
		p.mu.Unlock()
		if delay > 0 {
			<-time.After(delay)
		}
		if hole != nil {
			<-hole
		}
		if n > 0 {
			if _, e := to.Write(b[:n]); e != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// refuse ends all connections and takes none.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.refuses = true
	p.mu.Unlock()
	p.cut()
}

// swallow has all packets vanish.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = make(chan struct{})
}

// slow has each packet wait.
func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// pass ends all of this.
func (p *proxy) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses, p.delay = false, 0
	if p.hole != nil {
		close(p.hole)
		p.hole = nil
	}
}

// open returns how many connections there are.
func (p *proxy) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}
