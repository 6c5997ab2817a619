//go:build !unix

package caddymodule

import "os"

// ownedLike does nothing where files have no owner of this kind.
func ownedLike(*os.File, os.FileInfo) error { return nil }

// lockFolder holds nothing.
func lockFolder(*os.File) (held, busy bool) { return false, false }
