package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// maxSecret bounds what is read as one secret: more is a wrong file.
const maxSecret = 16 << 10

// interactive reports whether somebody can be asked.
func interactive() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// stdinSecret reads a secret from standard input. One line break at its end is
// cut: most ways to write one there add it.
func (o *operation) stdinSecret(what string) (auth.Secret, error) {
	body, err := io.ReadAll(io.LimitReader(o.cmd.InOrStdin(), maxSecret+1))
	if err != nil {
		return auth.Secret{}, fmt.Errorf("the %s cannot be read from standard input: %w", what, err)
	}
	if len(body) > maxSecret {
		return auth.Secret{}, usagef("the %s on standard input is longer than %d bytes", what, maxSecret)
	}
	text := strings.TrimSuffix(string(body), "\n")
	if len(text) < len(body) {
		text = strings.TrimSuffix(text, "\r")
	}
	if text == "" {
		return auth.Secret{}, usagef("there is no %s on standard input", what)
	}
	return auth.NewSecret(text), nil
}

// asked is a secret that is asked for on a terminal: what it is called, and the
// flag that reads it from standard input.
type asked struct{ name, flag string }

var (
	aPassword = asked{"password", "password-stdin"}
	aPassCode = asked{"pass code", "pass-code-stdin"}
)

// newPassword reads a new password from standard input, or asks for it twice.
func (o *operation) newPassword(fromStdin bool) (auth.Secret, error) {
	return o.newSecret(aPassword, fromStdin)
}

func (o *operation) newSecret(what asked, fromStdin bool) (auth.Secret, error) {
	if fromStdin {
		return o.stdinSecret(what.name)
	}
	if err := canAsk(what); err != nil {
		return auth.Secret{}, err
	}
	first, err := o.askSecret(what, strings.ToUpper(what.name[:1])+what.name[1:]+": ")
	if err != nil {
		return first, err
	}
	second, err := o.askSecret(what, "Once more: ")
	if err != nil {
		return second, err
	}
	if !first.Equal(second) {
		return auth.Secret{}, fmt.Errorf("the two %ss differ", what.name)
	}
	return first, nil
}

// canAsk refuses to wait for somebody who is not there.
func canAsk(what asked) error {
	if interactive() {
		return nil
	}
	return usagef("there is no terminal to ask for the %s: use --%s", what.name, what.flag)
}

func (o *operation) askSecret(what asked, prompt string) (auth.Secret, error) {
	defer o.asking()()
	o.cmd.PrintErr(prompt)
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	o.cmd.PrintErrln()
	if err != nil {
		return auth.Secret{}, fmt.Errorf("the %s cannot be read: %w", what.name, err)
	}
	return auth.NewSecret(string(text)), nil
}

// confirm asks before something that cannot be undone. Without a terminal
// nobody is asked: a script means what it says.
func (o *operation) confirm(sure bool, format string, args ...any) error {
	if sure || !interactive() {
		return nil
	}
	defer o.asking()()
	o.cmd.PrintErrf("%s [y/N] ", visible(fmt.Sprintf(format, args...)))
	answer, err := bufio.NewReader(o.cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}

// asking has an interrupt end the process while it waits for an answer, with
// the terminal as it was. The returned function says that the wait is over.
func (o *operation) asking() (over func()) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	stop := context.AfterFunc(o, func() {
		if err == nil {
			_ = term.Restore(fd, before)
		}
		o.cmd.PrintErrln()
		os.Exit(exitRefused)
	})
	return func() { stop() }
}
