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
	// free is closed while bytes may pass, slow how long each is under way.
	free   chan struct{}
	slow   time.Duration
	closed chan struct{}
}

// newWire leads to a target until the test ends.
func newWire(t *testing.T, target string) *wire {
	t.Helper()
	w := &wire{t: t, address: "127.0.0.1:0", target: target, ends: map[net.Conn]struct{}{}, free: make(chan struct{}), closed: make(chan struct{})}
	close(w.free)
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

// swallow lets nothing pass any more, and says so to nobody.
func (w *wire) swallow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = make(chan struct{})
}

// delay has everything take that long, each way.
func (w *wire) delay(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = d
}

// mend ends whatever is wrong; what was swallowed arrives, as TCP would have it.
func (w *wire) mend() {
	w.t.Helper()
	w.mu.Lock()
	w.slow = 0
	select {
	case <-w.free:
	default:
		close(w.free)
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
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	w.mu.Lock()
	w.ends[c], w.ends[far] = struct{}{}, struct{}{}
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pump(far, c) })
	both.Go(func() { w.pump(c, far) })
	both.Wait()
	w.mu.Lock()
	delete(w.ends, c)
	delete(w.ends, far)
	w.mu.Unlock()
}

// pump copies one way until an end closes.
func (w *wire) pump(to io.WriteCloser, from io.ReadCloser) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && w.passes() {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes blocks while the wire is cut, and returns false at its end.
func (w *wire) passes() bool {
	w.mu.Lock()
	free, slow := w.free, w.slow
	w.mu.Unlock()
	pause := time.NewTimer(slow)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-w.closed:
		return false
	}
	select {
	case <-free:
		return true
	case <-w.closed:
		return false
	}
}
