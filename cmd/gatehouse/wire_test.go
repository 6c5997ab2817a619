package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire is a way to a server that can be cut: a proxy on an address of its own.
type wire struct {
	t       *testing.T
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	ends     map[net.Conn]struct{}
	lanes    [2]lane
	closed   chan struct{}
	// deaf has new connections lead nowhere.
	deaf bool
}

// lane is one direction of a wire.
type lane struct {
	// free is closed while bytes may pass, slow how long each is under way.
	free chan struct{}
	slow time.Duration
	// spoils says of each piece whether a byte of it becomes another; nil is none.
	spoils func() bool
}

// The lanes of a wire.
const (
	there = iota // to the target
	back
)

// newWire leads to a target until the test ends.
func newWire(t *testing.T, target string) *wire {
	t.Helper()
	w := &wire{t: t, address: "127.0.0.1:0", target: target, ends: map[net.Conn]struct{}{}, closed: make(chan struct{})}
	for i := range w.lanes {
		w.lanes[i].free = make(chan struct{})
		close(w.lanes[i].free)
	}
	w.listen()
	t.Cleanup(func() {
		close(w.closed)
		w.refuse()
	})
	return w
}

func (w *wire) listen() {
	w.t.Helper()
	l, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.listener, w.address = l, l.Addr().String()
	w.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
}

// open is how many connections there are.
func (w *wire) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ends) / 2
}

// refuse ends all connections and takes no more.
func (w *wire) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != nil {
		_ = w.listener.Close()
		w.listener = nil
	}
	for c := range w.ends {
		_ = c.Close()
	}
}

// reset ends all connections and takes new ones.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ends {
		_ = c.Close()
	}
}

// halfClose has every end told that the other sends no more.
func (w *wire) halfClose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ends {
		_ = c.(*net.TCPConn).CloseWrite()
	}
}

// swallow lets nothing pass any more, and says so to nobody.
func (w *wire) swallow() {
	w.swallowOne(there)
	w.swallowOne(back)
}

// swallowOne is swallow for one lane.
func (w *wire) swallowOne(way int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes[way].free = make(chan struct{})
}

// swallowNew ends all connections, and swallows what comes over new ones.
func (w *wire) swallowNew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = true
	for c := range w.ends {
		_ = c.Close()
	}
}

// deafen swallows what comes over new connections; the others go on.
func (w *wire) deafen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = true
}

// delay has everything take that long, each way.
func (w *wire) delay(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes[there].slow, w.lanes[back].slow = d, d
}

// corrupt spoils pieces each way.
func (w *wire) corrupt(spoils func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes[there].spoils, w.lanes[back].spoils = spoils, spoils
}

// mend ends whatever is wrong; what was swallowed arrives, as TCP would have it.
func (w *wire) mend() {
	w.t.Helper()
	w.mu.Lock()
	w.deaf = false
	for i := range w.lanes {
		l := &w.lanes[i]
		l.slow, l.spoils = 0, nil
		select {
		case <-l.free:
		default:
			close(l.free)
		}
	}
	cut := w.listener == nil
	w.mu.Unlock()
	if cut {
		w.listen()
	}
}

// carry leads one connection to the target.
func (w *wire) carry(c net.Conn) {
	defer func() { _ = c.Close() }()
	w.mu.Lock()
	deaf := w.deaf
	w.mu.Unlock()
	if deaf {
		_, _ = io.Copy(io.Discard, c) // until the other end gives up
		return
	}
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	w.mu.Lock()
	w.ends[c], w.ends[far] = struct{}{}, struct{}{}
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pump(far, c, there) })
	both.Go(func() { w.pump(c, far, back) })
	both.Wait()
	w.mu.Lock()
	delete(w.ends, c)
	delete(w.ends, far)
	w.mu.Unlock()
}

// pump copies one way until an end closes.
func (w *wire) pump(to io.WriteCloser, from io.ReadCloser, way int) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && w.passes(way, buffer[:n]) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes blocks while the lane is cut, and returns false at its end.
func (w *wire) passes(way int, piece []byte) bool {
	w.mu.Lock()
	l := w.lanes[way]
	w.mu.Unlock()
	pause := time.NewTimer(l.slow)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-w.closed:
		return false
	}
	if l.spoils != nil && l.spoils() {
		piece[len(piece)/2] ^= 0x10
	}
	select {
	case <-l.free:
		return true
	case <-w.closed:
		return false
	}
}
