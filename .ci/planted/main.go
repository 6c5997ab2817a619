// Command planted shows that the tests are worth something: it takes one
// defence at a time out of a copy of the tree, in the way of a mistake that
// gateways have made, and fails unless the one test that must notice does.
//
//	go run ./.ci/planted [name…]
//
// A bug whose text is no longer in the tree, a copy that no longer compiles and
// a test that is no longer there are failures too.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// edit replaces a text that stands once in a file.
type edit struct{ file, old, new string }

// bug is a mistake, and the test that must notice it.
type bug struct {
	name      string
	edits     []edit
	pkg, test string
}

// testTimeout bounds one test, with the compiler before it.
const testTimeout = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	dir, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyTree(ctx, dir); err != nil {
		return err
	}
	var failed []error
	for _, b := range bugs {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		if err := b.try(ctx, dir); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", b.name, err))
			fmt.Printf("MISSED  %s\n", b.name)
			continue
		}
		fmt.Printf("caught  %-58s %s\n", b.name, b.test)
	}
	return errors.Join(failed...)
}

// copyTree copies the files that git knows, as they are now.
func copyTree(ctx context.Context, dir string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z").Output()
	if err != nil {
		return fmt.Errorf("listing the files of the tree: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// try sees the test pass, plants the bug, sees the test fail, and takes the bug
// out again.
func (b bug) try(ctx context.Context, dir string) error {
	if out, err := b.runTest(ctx, dir); err != nil || !strings.Contains(out, "--- PASS: "+b.test) {
		return fmt.Errorf("%s does not pass in the tree as it is:\n%s", b.test, out)
	}
	before := map[string][]byte{}
	defer func() {
		for name, text := range before {
			_ = os.WriteFile(name, text, 0o600)
		}
	}()
	for _, e := range b.edits {
		name := filepath.Join(dir, e.file)
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			return fmt.Errorf("%s has the text to replace %d times, not once: %q", e.file, n, e.old)
		}
		if _, twice := before[name]; !twice {
			before[name] = text
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
			return err
		}
	}
	out, err := b.runTest(ctx, dir)
	if err == nil {
		return fmt.Errorf("%s passes with the bug in the tree", b.test)
	}
	if !strings.Contains(out, "--- FAIL: "+b.test) {
		return fmt.Errorf("%s did not fail, something else did: %w\n%s", b.test, err, out)
	}
	return nil
}

func (b bug) runTest(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-v", "-run", "^"+b.test+"$", b.pkg)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
