package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// storedRing is where the key ring stands in Caddy's storage when no files are
// named.
const storedRing = "gatehouse/key_ring"

// readRing reads the files of a key ring, and returns what tells one content
// of them from another. Placeholders in their names are replaced; one that is
// empty is an error, since a file that nobody named would be read in its place.
func readRing(repl *caddy.Replacer, names []string) (ring *token.Ring, digest string, err error) {
	var files []token.RingFile
	for _, name := range names {
		path, err := repl.ReplaceOrErr(name, true, true)
		if err != nil {
			return nil, "", fmt.Errorf("key_ring %s: %w", name, err)
		}
		text, err := readPrivate(path)
		if err != nil {
			return nil, "", fmt.Errorf("key_ring: %w", err)
		}
		files = append(files, token.RingFile{Name: path, Text: text})
		digest += auth.DigestOf(string(text)).String()
	}
	ring, err = token.ParseRing(files...)
	return ring, digest, err
}

// readPrivate reads a file that others must not be able to read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by everyone (mode %04o): chmod 600 it", path, mode)
	}
	return os.ReadFile(path)
}

// ring returns the key ring: that of the files, or the one in Caddy's storage.
func (a *App) ring(ctx context.Context) (*token.Ring, error) {
	if a.state.ring != nil {
		return a.state.ring, nil
	}
	return ringIn(ctx, a.state.ctx.Storage())
}

// ringIn returns the key ring in Caddy's storage.
func ringIn(ctx context.Context, storage certmagic.Storage) (*token.Ring, error) {
	text, err := loadOrMakeRing(ctx, storage)
	if err != nil {
		return nil, err
	}
	return token.ParseRing(token.RingFile{Name: storedRing + " in Caddy's storage", Text: text})
}

// loadOrMakeRing returns the text of the key ring in Caddy's storage, which is
// made once: the storage has a lock that all who share it see.
func loadOrMakeRing(ctx context.Context, storage certmagic.Storage) ([]byte, error) {
	text, err := loadRing(ctx, storage)
	if text != nil || err != nil {
		return text, err
	}
	if err := makeFolder(storage); err != nil {
		return nil, fmt.Errorf("the folder of Caddy's storage, which keeps the key ring, cannot be made: %w", err)
	}
	if err := storage.Lock(ctx, storedRing); err != nil {
		return nil, fmt.Errorf("the key ring cannot be kept in Caddy's storage, which must be writable: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), storedRing) }()
	if text, err = loadRing(ctx, storage); text != nil || err != nil {
		return text, err // another process was faster
	}
	text = token.NewRing()
	if err := storage.Store(ctx, storedRing, text); err != nil {
		return nil, fmt.Errorf("the key ring cannot be kept in Caddy's storage, which must be writable: %w", err)
	}
	return text, nil
}

// loadRing returns nil where there is none.
func loadRing(ctx context.Context, storage certmagic.Storage) ([]byte, error) {
	text, err := storage.Load(ctx, storedRing)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the key ring cannot be read from Caddy's storage: %w", err)
	}
	if text == nil {
		text = []byte{} // an empty file is there all the same
	}
	return text, nil
}

// makeFolder makes the folder of a storage that is one. The lock would make it
// too, but says only that it is not there if that cannot be.
func makeFolder(storage certmagic.Storage) error {
	files, ok := storage.(*certmagic.FileStorage)
	if !ok {
		return nil
	}
	return os.MkdirAll(files.Path, 0o700)
}
