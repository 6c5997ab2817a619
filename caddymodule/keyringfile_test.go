package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func newRingFile(t *testing.T) ringPlace {
	t.Helper()
	p := ringPlace{files: []string{filepath.Join(t.TempDir(), "keys")}}
	if _, _, err := p.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// add puts a new key before the others.
func (p ringPlace) add(t *testing.T) (id string, err error) {
	err = p.edit(t.Context(), func(files []token.RingFile) (n int, text []byte, err error) {
		text, id, err = token.AddKey(files[0], false)
		return 0, text, err
	})
	return id, err
}

// A key that a command said is in the ring may seal from the next moment on.
func TestOfManyRotationsAtOnceNoKeyIsLost(t *testing.T) {
	p := newRingFile(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	for range 16 {
		all.Go(func() {
			id, err := p.add(t)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			ids = append(ids, id)
		})
	}
	all.Wait()
	ring, err := p.ring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !slices.Contains(ring.KeyIDs(), id) {
			t.Errorf("the key %s is not in the ring", id)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(p.files[0]))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}

func TestWhatAnInterruptedCommandLeftOfARingIsNoObstacle(t *testing.T) {
	p := newRingFile(t)
	if err := os.WriteFile(p.files[0]+".new", []byte("half of a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.add(t); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.files[0] + ".new"); err == nil {
		t.Error("keys are left beside the ring")
	}
}

func TestARingThatCannotBeWrittenStaysAsItWas(t *testing.T) {
	p := newRingFile(t)
	before, err := os.ReadFile(p.files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.files[0]+".new/x", 0o700); err != nil { // in the way, and cannot be removed
		t.Fatal(err)
	}
	if _, err := p.add(t); err == nil || !strings.Contains(err.Error(), "remove "+p.files[0]+".new and try again") {
		t.Errorf("got %v", err)
	}
	after, err := os.ReadFile(p.files[0])
	if err != nil || string(after) != string(before) {
		t.Errorf("the ring was changed, %v", err)
	}
}

func TestARingKeepsItsModeAndItsLink(t *testing.T) {
	p := newRingFile(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(p.files[0], 0o640), os.Symlink(p.files[0], link)); err != nil {
		t.Fatal(err)
	}
	if _, err := (ringPlace{files: []string{link}}).add(t); err != nil {
		t.Fatal(err)
	}
	at, err := os.Lstat(link)
	if err != nil || at.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", at, err)
	}
	if at, err = os.Stat(p.files[0]); err != nil || at.Mode() != 0o640 {
		t.Errorf("the file is %v, %v", at, err)
	}
}

func TestTheKeyThatSealsIsNotRemoved(t *testing.T) {
	p := newRingFile(t)
	id, err := p.add(t)
	if err != nil {
		t.Fatal(err)
	}
	err = p.edit(t.Context(), func(files []token.RingFile) (int, []byte, error) { return removeKey(files, id) })
	if err == nil || !strings.Contains(err.Error(), "is the one that seals") {
		t.Errorf("got %v", err)
	}
}
