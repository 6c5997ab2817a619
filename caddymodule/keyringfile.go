package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// createRing writes a new ring to a new file, for its owner only.
func createRing(path string, text []byte) error {
	err := writeNew(path, text, func(*os.File) error { return nil })
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: nothing is overwritten", path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("the key ring cannot be made: %w", err)
	}
	return nil
}

// writeNew writes a file that is not there yet, with mode 0600, and has it on
// disk; where that fails nothing is left.
func writeNew(path string, text []byte, dress func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, dress(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncFolder has the entry of a file on disk: a key that something was sealed
// under must not be gone after a crash.
func syncFolder(path string) error {
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

const (
	// lockPatience is how long a command waits for another that changes the
	// ring, which takes milliseconds; lockPause how long in between.
	lockPatience = 10 * time.Second
	lockPause    = 20 * time.Millisecond
)

// lockRing keeps other commands from changing the file of a ring until unlock is
// called. held is false where the system has no lock for it: then the name of
// the file that is written beside it is one.
func lockRing(ctx context.Context, path string) (held bool, unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return false, nil, err
	}
	unlock = func() { _ = folder.Close() } // which lets go of the lock
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	pause := time.NewTicker(lockPause)
	defer pause.Stop()
	for {
		held, busy := lockFolder(folder)
		if !busy {
			return held, unlock, nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			unlock()
			return false, nil, fmt.Errorf("another command has been changing the key ring %s for long: try again", path)
		}
	}
}

// replaceRing puts new text in the place of a file that still holds the old one,
// with the mode and, where that can be, the owner that the file has. held says
// that nobody else does so at the same time. Who looks sees the one or the
// other, after a crash too.
func replaceRing(path string, old, text []byte, held bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	next := path + ".new"
	if held { // what an interrupted command has left
		_ = os.Remove(next)
	}
	err = writeNew(next, text, func(f *os.File) error { return errors.Join(f.Chmod(info.Mode().Perm()), ownedLike(f, info)) })
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("another command changes the key ring, or was interrupted: where none runs, remove %s and try again", next)
	}
	if err != nil {
		return fmt.Errorf("the key ring cannot be written: %w", err)
	}
	now, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(now, old) {
		err = fmt.Errorf("%s was changed by another at the same time: try again", path)
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the key ring cannot be written: %w", err), os.Remove(next))
	}
	return syncFolder(path)
}
