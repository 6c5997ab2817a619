package token

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
)

// errNoLine is a key that no line of a key file is.
var errNoLine = errors.New("no line of this key file is that key")

// AddKey returns the text of a key file with a new random key, and its id. The
// key is put before all others, and so seals; with standby it is put behind them,
// and opens what others seal with it.
func AddKey(f RingFile, standby bool) (text []byte, id string, err error) {
	if _, err := ParseRing(f); err != nil {
		return nil, "", err
	}
	line := lastLine(NewRing())
	lines := splitLines(f.Text)
	at := keyLines(lines)[0]
	if standby {
		at = len(lines)
	}
	text = joinLines(lines[:at], []string{line}, lines[at:])
	id, err = idOf(line)
	return text, id, err
}

// FirstKey returns the text of a key file in which the key of that id stands
// before all others.
func FirstKey(f RingFile, id string) ([]byte, error) {
	lines, at, err := find(f, id)
	if err != nil {
		return nil, err
	}
	first := keyLines(lines)[0]
	return joinLines(lines[:first], lines[at:at+1], lines[first:at], lines[at+1:]), nil
}

// RemoveKey returns the text of a key file without the key of that id.
func RemoveKey(f RingFile, id string) ([]byte, error) {
	lines, at, err := find(f, id)
	if err != nil {
		return nil, err
	}
	return joinLines(lines[:at], lines[at+1:]), nil
}

// find returns the lines of a key file and which of them is the key of that id.
func find(f RingFile, id string) (lines []string, at int, err error) {
	if _, err := ParseRing(f); err != nil {
		return nil, 0, err
	}
	lines = splitLines(f.Text)
	for _, at := range keyLines(lines) {
		if found, err := idOf(lines[at]); err == nil && found == id {
			return lines, at, nil
		}
	}
	return nil, 0, errNoLine
}

// keyLines are the lines of a key file that are keys. There is at least one.
func keyLines(lines []string) (at []int) {
	headed := false
	for i, line := range lines {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			continue
		}
		if headed {
			at = append(at, i)
		}
		headed = true
	}
	return at
}

func splitLines(text []byte) (lines []string) {
	for line := range bytes.Lines(text) {
		lines = append(lines, strings.TrimRight(string(line), "\r\n"))
	}
	return lines
}

func joinLines(parts ...[]string) []byte {
	var out bytes.Buffer
	for _, part := range parts {
		for _, line := range part {
			out.WriteString(line + "\n")
		}
	}
	return out.Bytes()
}

func lastLine(text []byte) string {
	lines := splitLines(text)
	return lines[len(lines)-1]
}

func idOf(line string) (string, error) {
	secret, err := hex.DecodeString(strings.TrimSpace(line))
	if err != nil {
		return "", errNoLine
	}
	k, err := newRingKey(secret)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(k.id[:]), nil
}

// WithoutKey reports whether an error says that a key file has no such key.
func WithoutKey(err error) bool { return errors.Is(err, errNoLine) }
