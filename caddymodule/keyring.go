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

// ring returns the key ring: that of the files, or the one in Caddy's storage,
// which is made once. Caddy's storage has a lock that all who share it see.
func (a *App) ring(ctx context.Context) (*token.Ring, error) {
	if a.state.ring != nil {
		return a.state.ring, nil
	}
	storage := a.state.ctx.Storage()
	if err := storage.Lock(ctx, storedRing); err != nil {
		return nil, fmt.Errorf("locking the key ring in Caddy's storage: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), storedRing) }()
	text, err := loadOrMakeRing(ctx, storage)
	if err != nil {
		return nil, err
	}
	return token.ParseRing(token.RingFile{Name: storedRing + " in Caddy's storage", Text: text})
}

func loadOrMakeRing(ctx context.Context, storage certmagic.Storage) ([]byte, error) {
	text, err := storage.Load(ctx, storedRing)
	if err == nil {
		return text, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the key ring from Caddy's storage: %w", err)
	}
	text = token.NewRing()
	if err := storage.Store(ctx, storedRing, text); err != nil {
		return nil, fmt.Errorf("writing the key ring to Caddy's storage: %w", err)
	}
	return text, nil
}
