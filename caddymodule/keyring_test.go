package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
)

func TestTheKeyRingInCaddysStorageIsMadeOnce(t *testing.T) {
	storage := &certmagic.FileStorage{Path: filepath.Join(t.TempDir(), "deep", "caddy")}
	first, err := loadOrMakeRing(t.Context(), storage)
	if err != nil || len(first) == 0 {
		t.Fatal(err)
	}
	second, err := loadOrMakeRing(t.Context(), storage)
	if err != nil || string(second) != string(first) {
		t.Errorf("the second look found another key ring (%v)", err)
	}
}

func TestAnEmptyKeyRingIsNotReplaced(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	if err := storage.Store(t.Context(), storedRing, nil); err != nil {
		t.Fatal(err)
	}
	text, err := loadOrMakeRing(t.Context(), storage)
	if err != nil || len(text) != 0 {
		t.Errorf("%d bytes (%v): what was sealed would be lost without a word", len(text), err)
	}
}

func TestAKeyRingThatIsThereNeedsNoLock(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	want, err := loadOrMakeRing(t.Context(), storage)
	if err != nil {
		t.Fatal(err)
	}
	locks := filepath.Join(storage.Path, "locks")
	if err := os.RemoveAll(locks); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(locks, nil, 0o600); err != nil { // no lock can be made
		t.Fatal(err)
	}
	got, err := loadOrMakeRing(t.Context(), storage)
	if err != nil || string(got) != string(want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAStorageThatCannotBeWrittenIsNamed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadOrMakeRing(t.Context(), &certmagic.FileStorage{Path: filepath.Join(file, "caddy")})
	if err == nil || !strings.HasPrefix(err.Error(), "the key ring cannot be read from Caddy's storage: ") {
		t.Error(err)
	}

	if err := os.WriteFile(filepath.Join(dir, "locks"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = loadOrMakeRing(t.Context(), &certmagic.FileStorage{Path: dir})
	if err == nil || !strings.HasPrefix(err.Error(), "the key ring cannot be kept in Caddy's storage, which must be writable: ") {
		t.Error(err)
	}
}
