package caddymodule

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// tally shows how far a command is: a bar on a terminal, else a line now and
// then on standard error, and nothing beside JSON.
type tally struct {
	o    *operation
	what string
	bar  *progressbar.ProgressBar // nil where there is no terminal
	part string
	last time.Time
}

// lineEvery is how often a line says how far a command is.
const lineEvery = 5 * time.Second

func (o *operation) tally(what string) *tally {
	s := &tally{o: o, what: what, last: time.Now()}
	if !o.json && term.IsTerminal(int(os.Stderr.Fd())) {
		s.bar = s.newBar(what, -1)
	}
	return s
}

func (s *tally) newBar(what string, of int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(of, progressbar.OptionSetWriter(s.o.cmd.ErrOrStderr()), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// count says how many are done, of nobody knows how many.
func (s *tally) count(done int) { s.at("", int64(done), -1) }

// at says how many of so many are done in a part.
func (s *tally) at(part string, done, of int64) {
	if s.bar != nil {
		if part != s.part {
			_ = s.bar.Finish()
			s.bar, s.part = s.newBar(s.what+" "+part, max(of, 1)), part
		}
		_ = s.bar.Set64(min(done, max(done, of)))
		return
	}
	if time.Since(s.last) < lineEvery {
		return
	}
	s.last = time.Now()
	text := s.what
	if part != "" {
		text += " " + part
	}
	text += fmt.Sprintf(": %d", done)
	if of > 0 {
		text += fmt.Sprintf(" of %d", of)
	}
	s.o.note("%s", text)
}

func (s *tally) end() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
