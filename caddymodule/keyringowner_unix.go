//go:build unix

package caddymodule

import (
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
