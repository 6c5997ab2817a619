package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// answerPatience is the longest that a test's own command may take.
const answerPatience = 10 * time.Second

// replies reads what a Redis server answers: RESP2, as its documentation of the
// protocol has it.
type replies struct{ r *bufio.Reader }

func newReplies(c net.Conn) replies { return replies{bufio.NewReader(c)} }

// ask sends a command and returns its answer.
func (r replies) ask(w io.Writer, args ...string) (any, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return nil, err
	}
	return r.read()
}

func (r replies) read() (any, error) {
	line, err := r.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("an empty line for an answer")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		return r.text(rest)
	case '*':
		return r.list(rest)
	default:
		return nil, fmt.Errorf("an answer of kind %q", kind)
	}
}

func (r replies) text(length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(r.r, text); err != nil {
		return nil, err
	}
	return string(text[:n]), nil
}

func (r replies) list(length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	all := make([]any, n)
	for i := range all {
		if all[i], err = r.read(); err != nil {
			return nil, err
		}
	}
	return all, nil
}
