//go:build unix

package caddymodule

import (
	"errors"
	"os"
	"syscall"
)

// ownedLike gives a file the owner and group of another: a gateway must be able
// to read what somebody else, root say, wrote for it.
func ownedLike(f *os.File, like os.FileInfo) error {
	at, ok := like.Sys().(*syscall.Stat_t)
	if !ok || int(at.Uid) == os.Geteuid() && int(at.Gid) == os.Getegid() {
		return nil
	}
	return f.Chown(int(at.Uid), int(at.Gid))
}

// lockFolder has a folder for this process alone until it is closed; busy is
// whether another has it. A file system without such locks holds none.
func lockFolder(folder *os.File) (held, busy bool) {
	err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return err == nil, errors.Is(err, syscall.EWOULDBLOCK)
}
