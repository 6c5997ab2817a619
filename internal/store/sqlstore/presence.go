package sqlstore

import (
	"fmt"
	"os"
	"sync/atomic"
)

// presence knows whether the file of a store is still where it was opened. A
// process goes on with a file that was moved or removed as if nothing had
// happened, while commands open, or make, the one that has its name now: an
// account that they disable would go on logging in. nil is a store without a
// file, which is where it was.
type presence struct {
	path string
	was  os.FileInfo
	gone atomic.Bool
}

// presenceOf remembers the file that is open at path now.
func presenceOf(path string) (*presence, error) {
	was, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &presence{path: path, was: was}, nil
}

// look asks the file system, and remembers the answer for check. A file that
// was put back is there again.
func (p *presence) look() error {
	if p == nil {
		return nil
	}
	now, err := os.Stat(p.path)
	gone := err != nil || !os.SameFile(p.was, now)
	p.gone.Store(gone)
	if gone {
		return fmt.Errorf("the file %s was moved, removed or replaced while it was open: put it back, or restart", p.path)
	}
	return nil
}

// check costs nothing while all is well: it looks only where the last look
// found the file gone.
func (p *presence) check() error {
	if p == nil || !p.gone.Load() {
		return nil
	}
	return p.look()
}
