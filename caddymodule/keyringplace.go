package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// ringPlace is where the key ring of a configuration is kept, for commands that
// change it: in files, of which the first holds the key that seals, or in
// Caddy's storage.
type ringPlace struct {
	files   []string
	storage certmagic.Storage // where there are no files
}

// ringPlace returns where the key ring of a configuration is kept.
func (s *setup) ringPlace(ctx context.Context) (p ringPlace, done func(), err error) {
	done = func() {}
	if len(s.app.KeyRing) == 0 {
		p.storage, done, err = s.storage(ctx)
		return p, done, err
	}
	repl := caddy.NewReplacer()
	for _, name := range s.app.KeyRing {
		path, err := repl.ReplaceOrErr(name, true, true)
		if err != nil {
			return p, done, fmt.Errorf("key_ring %s: %w", name, err)
		}
		p.files = append(p.files, path)
	}
	return p, done, nil
}

// takesEffect says when what was changed does.
func (p ringPlace) takesEffect() string {
	if p.storage != nil {
		return "it takes effect when each gateway is restarted"
	}
	return "it takes effect when each gateway is reloaded; a gateway on another machine needs the file first"
}

// load returns the files of the ring; [fs.ErrNotExist] where there is none.
func (p ringPlace) load(ctx context.Context) (files []token.RingFile, err error) {
	if p.storage != nil {
		text, err := loadRing(ctx, p.storage)
		if err == nil && text == nil {
			err = fmt.Errorf("there is no key ring in Caddy's storage yet: %w", fs.ErrNotExist)
		}
		return []token.RingFile{{Name: storedRing + " in Caddy's storage", Text: text}}, err
	}
	for _, path := range p.files {
		text, err := readPrivate(path)
		if err != nil {
			return nil, fmt.Errorf("key_ring: %w", err)
		}
		files = append(files, token.RingFile{Name: path, Text: text})
	}
	return files, nil
}

// create writes a ring where there is none yet.
func (p ringPlace) create(ctx context.Context) (name string, err error) {
	if p.storage == nil {
		return p.files[0], createRing(p.files[0])
	}
	_, err = p.load(ctx)
	if err == nil {
		return "", errors.New("there is a key ring in Caddy's storage already: nothing is overwritten")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	_, err = loadOrMakeRing(ctx, p.storage)
	return storedRing + " in Caddy's storage", err
}

// createRing writes a new ring to a new file, for its owner only.
func createRing(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: nothing is overwritten", path)
	}
	if err != nil {
		return fmt.Errorf("the key ring cannot be made: %w", err)
	}
	_, err = f.Write(token.NewRing())
	return errors.Join(err, f.Sync(), f.Close())
}

// edit replaces one file of the ring, by a step that either happens or does not.
// The change is given the files and returns which of them, and its new text;
// whatever it makes must be a ring.
func (p ringPlace) edit(ctx context.Context, change func([]token.RingFile) (int, []byte, error)) error {
	if p.storage != nil {
		if err := p.storage.Lock(ctx, storedRing); err != nil {
			return fmt.Errorf("the key ring in Caddy's storage cannot be locked: %w", err)
		}
		defer func() { _ = p.storage.Unlock(context.WithoutCancel(ctx), storedRing) }()
	}
	files, err := p.load(ctx)
	if err != nil {
		return err
	}
	at, text, err := change(files)
	if err != nil {
		return err
	}
	old := files[at].Text
	files[at].Text = text
	if _, err := token.ParseRing(files...); err != nil {
		return err
	}
	if p.storage != nil {
		return p.storage.Store(ctx, storedRing, text)
	}
	return replaceFile(p.files[at], old, text)
}

// replaceFile puts new text in the place of a file that still holds the old one,
// with the mode and, where that can be, the owner that the file has. A link to
// the file stays one.
func replaceFile(path string, old, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("the key ring cannot be written: %w", err)
	}
	defer func() { _ = os.Remove(next.Name()) }() // gone where all went well
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(info.Mode().Perm()), ownedLike(next, info), next.Sync(), next.Close())
	if err != nil {
		return fmt.Errorf("the key ring cannot be written: %w", err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, old) {
		return fmt.Errorf("%s was changed by another at the same time: try again", path)
	}
	return os.Rename(next.Name(), path)
}
