package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
		return []token.RingFile{{Name: p.name(0), Text: text}}, err
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

// name is what a file of the ring is called.
func (p ringPlace) name(n int) string {
	if p.storage != nil {
		return storedRing + " in Caddy's storage"
	}
	return p.files[n]
}

// create writes a ring where there is none yet, and returns its only key.
func (p ringPlace) create(ctx context.Context) (name, id string, err error) {
	text := token.NewRing()
	if p.storage == nil {
		err = createRing(p.files[0], text)
	} else {
		text, err = p.createStored(ctx)
	}
	if err != nil {
		return "", "", err
	}
	name = p.name(0)
	ring, err := token.ParseRing(token.RingFile{Name: name, Text: text})
	if err != nil {
		return "", "", err
	}
	return name, ring.KeyIDs()[0], nil
}

func (p ringPlace) createStored(ctx context.Context) ([]byte, error) {
	_, err := p.load(ctx)
	if err == nil {
		return nil, errors.New("there is a key ring in Caddy's storage already: nothing is overwritten")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return loadOrMakeRing(ctx, p.storage)
}

// edit replaces one file of the ring, by a step that either happens or does not.
// The change is given the files and returns which of them, and its new text;
// whatever it makes must be a ring.
func (p ringPlace) edit(ctx context.Context, change func([]token.RingFile) (int, []byte, error)) error {
	held, unlock, err := p.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
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
	path, err := filepath.EvalSymlinks(p.files[at]) // a link to the file stays one
	if err != nil {
		return err
	}
	return replaceRing(path, old, text, held && at == 0)
}

// lock keeps other commands from changing the ring until unlock is called; held
// is whether that is sure of its first file.
func (p ringPlace) lock(ctx context.Context) (held bool, unlock func(), err error) {
	if p.storage == nil {
		path, err := filepath.EvalSymlinks(p.files[0])
		if err != nil {
			return false, nil, fmt.Errorf("key_ring: %w", err)
		}
		return lockRing(ctx, path)
	}
	if err := p.storage.Lock(ctx, storedRing); err != nil {
		return false, nil, fmt.Errorf("the key ring in Caddy's storage cannot be locked: %w", err)
	}
	return true, func() { _ = p.storage.Unlock(context.WithoutCancel(ctx), storedRing) }, nil
}
