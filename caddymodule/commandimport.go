package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

func accountImport() verb {
	return verb{
		use: "import <file>", args: 1,
		short: "Adds accounts from a file",
		long: `
Adds accounts from JSON Lines, one object a line, with the password hashes that
they had elsewhere; - reads standard input. A username that is there already is
left as it is, so that an import can be run again. A line that cannot be used is
reported and the rest goes on; the exit code is 1 then.`,
		run: func(o *operation) error {
			in, size, err := o.importSource(o.args[0])
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			return o.importFrom(in, size)
		},
	}
}

// importSource opens what is imported. size is -1 where nobody knows.
func (o *operation) importSource(name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(o.cmd.InOrStdin()), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("the import cannot be read: %w", err)
	}
	at, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("the import cannot be read: %w", err), f.Close())
	}
	if !at.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, at.Size(), nil
}

func (o *operation) importFrom(in io.Reader, size int64) error {
	watched := !o.json && term.IsTerminal(int(os.Stderr.Fd()))
	bar := progress(o.cmd.ErrOrStderr(), watched, size)
	done, err := o.admin.Import(o, in, func(read int) { _ = bar.Set(read) })
	_ = bar.Finish()
	if err := o.showImport(done); err != nil {
		return err
	}
	if err == nil && len(done.Failed) > 0 {
		return fmt.Errorf("%d lines could not be imported", len(done.Failed))
	}
	return err
}

// progress returns a bar of so many bytes, which shows only where somebody
// watches. size is -1 where nobody knows.
func progress(w io.Writer, watched bool, size int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetVisibility(watched),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

func (o *operation) showImport(done admin.Imported) error {
	done.Failed = given(done.Failed)
	for _, f := range done.Failed {
		o.note("line %d: %s", f.Line, visible(f.Text))
	}
	return o.show(done,
		line{"added", fmt.Sprint(done.Added)},
		line{"present", fmt.Sprint(done.Present)},
		line{"failed", fmt.Sprint(len(done.Failed))})
}
