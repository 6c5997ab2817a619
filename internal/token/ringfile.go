package token

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ringHeader is the first line of a key file that says anything: a later
// format has another number, and an older gateway refuses it.
const ringHeader = "gatehouse-key-ring 1"

const (
	// maxRingFile bounds a key file in bytes: whatever is larger is not one.
	maxRingFile = 64 << 10
	// minDistinct is how many different bytes a key must have. Of 32 random
	// bytes fewer than 16 are distinct less than once in 10^10 keys; zeros,
	// a repeated word or a counted-up nibble are caught.
	minDistinct = 16
)

// RingFile is the text of one key file, with the name that errors give it.
//
// The text is in lines. Blank lines and lines that begin with # are skipped.
// The first other line is
//
//	gatehouse-key-ring 1
//
// and each line after it is a key: 64 hex digits, 32 random bytes, as
// `openssl rand -hex 32` prints them. The first key of the first file seals,
// all open.
type RingFile struct {
	Name string
	Text []byte
}

// NewRing returns the text of a key file with one new random key.
func NewRing() []byte {
	var secret [ringKeyLen]byte
	_, _ = rand.Read(secret[:]) // documented never to return an error
	return []byte(`# Gatehouse key ring. Whoever has this file can read what the store keeps encrypted:
# let nobody but the gateway read it, and back it up apart from the store.
# To rotate: gatehouse key-ring rotate, or put a new line (openssl rand -hex 32) before the others and keep the old ones.
` + ringHeader + "\n" + hex.EncodeToString(secret[:]) + "\n")
}

// ParseRing reads key files. An error names the file and line and never what
// is written there. A short, weak, publicly known or repeated key, an
// unknown header and a ring without a key are errors.
func ParseRing(files ...RingFile) (*Ring, error) {
	p := ringParser{ring: &Ring{}, seen: map[[ringIDLen]byte]string{}}
	for _, f := range files {
		if err := p.file(f); err != nil {
			return nil, err
		}
	}
	if len(p.ring.keys) == 0 {
		return nil, errors.New("a key ring needs at least one key")
	}
	return p.ring, nil
}

type ringParser struct {
	ring *Ring
	// seen is where each key stood, to name the first of two.
	seen map[[ringIDLen]byte]string
}

func (p *ringParser) file(f RingFile) error {
	if len(f.Text) > maxRingFile {
		return fmt.Errorf("%s: a key file has at most %d bytes", f.Name, maxRingFile)
	}
	number, headed := 0, false
	for line := range bytes.Lines(f.Text) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		at := fmt.Sprintf("%s:%d", f.Name, number)
		if headed {
			if err := p.key(at, text); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			continue
		}
		if text != ringHeader {
			return fmt.Errorf("%s: the first line of a key file is %q", at, ringHeader)
		}
		headed = true
	}
	if !headed {
		return fmt.Errorf("%s: a key file begins with the line %q", f.Name, ringHeader)
	}
	return nil
}

func (p *ringParser) key(at, text string) error {
	if len(text) != 2*ringKeyLen {
		return fmt.Errorf("a key is %d hex digits, this line has %d characters", 2*ringKeyLen, len(text))
	}
	secret, err := hex.DecodeString(text)
	if err != nil { // its text would quote the key
		return fmt.Errorf("a key is %d hex digits, this line has another character", 2*ringKeyLen)
	}
	if distinct(secret) < minDistinct {
		return errors.New("this key repeats itself, make one from random bytes")
	}
	if known(secret) {
		return errors.New("this key is on public lists of secrets, make one from random bytes")
	}
	k, err := newRingKey(secret)
	if err != nil {
		return err
	}
	if first, ok := p.seen[k.id]; ok {
		return fmt.Errorf("this key is already at %s", first)
	}
	p.seen[k.id] = at
	p.ring.keys = append(p.ring.keys, k)
	return nil
}

func distinct(secret []byte) int {
	seen := map[byte]bool{}
	for _, b := range secret {
		seen[b] = true
	}
	return len(seen)
}
