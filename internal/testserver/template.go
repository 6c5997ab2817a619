package testserver

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// packed returns the files of a folder, about 40 MB. They are not compressed: with
// the race detector that would take longer than to make a new folder.
func packed(dir string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close())
	return out.Bytes(), err
}

// unpack writes what packed returned into a new folder, which who owns.
func unpack(files []byte, dir string, who *syscall.Credential) error {
	if err := own(dir, who, os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	r := tar.NewReader(bytes.NewReader(files))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = place(r, h.FileInfo(), filepath.Join(dir, filepath.FromSlash(h.Name)), who)
		}
		if err != nil {
			return err
		}
	}
}

// place makes one file or folder.
func place(from io.Reader, info fs.FileInfo, path string, who *syscall.Credential) error {
	if info.IsDir() {
		return own(path, who, os.Mkdir(path, info.Mode().Perm()))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return own(path, who, errors.Join(err, f.Close()))
}

// own gives a file to who, unless there was an error or who is this user.
func own(path string, who *syscall.Credential, err error) error {
	if err != nil || who == nil {
		return err
	}
	return os.Chown(path, int(who.Uid), int(who.Gid))
}
