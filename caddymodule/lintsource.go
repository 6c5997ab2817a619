package caddymodule

import (
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// source is a Caddyfile as it was written, for the places of what Caddy made
// of it. What is not found has the file for its place.
type source struct {
	name   string
	blocks []sourceBlock
	texts  map[string]string // of the files, by name
}

// sourceBlock is a site, or with no keys the global options.
type sourceBlock struct {
	keys  []string
	lines []*sourceLine
}

// sourceLine is a line with the block that it opens.
type sourceLine struct {
	words []string
	place lint.Place
	inner []*sourceLine
}

// readSource reads a Caddyfile; one that is none has no lines.
func readSource(name string, body []byte) *source {
	s := &source{name: name, texts: map[string]string{name: string(body)}}
	if !isCaddyfile(name) {
		return s
	}
	blocks, err := caddyfile.Parse(name, body)
	if err != nil {
		return s // it was read before, and would have said so
	}
	for _, b := range blocks {
		block := sourceBlock{keys: b.GetKeysText()}
		for _, segment := range b.Segments {
			lines, _ := s.lines(segment)
			block.lines = append(block.lines, lines...)
		}
		s.blocks = append(s.blocks, block)
	}
	return s
}

// lines reads lines up to the end of their block, and returns what follows.
func (s *source) lines(tokens []caddyfile.Token) (all []*sourceLine, rest []caddyfile.Token) {
	for len(tokens) > 0 && tokens[0].Text != "}" {
		l := &sourceLine{place: s.at(tokens[0])}
		first := tokens[0]
		for len(tokens) > 0 && tokens[0].Line == first.Line && tokens[0].File == first.File && tokens[0].Text != "{" {
			l.words = append(l.words, tokens[0].Text)
			tokens = tokens[1:]
		}
		if len(tokens) > 0 && tokens[0].Text == "{" {
			l.inner, tokens = s.lines(tokens[1:])
		}
		all = append(all, l)
	}
	if len(tokens) > 0 {
		tokens = tokens[1:]
	}
	return all, tokens
}

func (s *source) at(t caddyfile.Token) lint.Place {
	if _, ok := s.texts[t.File]; !ok {
		text, err := os.ReadFile(t.File)
		if err != nil {
			text = nil // what cannot be read does not hold anything
		}
		s.texts[t.File] = string(text)
	}
	return lint.Place{File: t.File, Line: t.Line}
}

// whole is the place of what has no line.
func (s *source) whole() lint.Place { return lint.Place{File: s.name} }

// all visits the lines of the blocks that choose takes, those inside too.
func (s *source) all(choose func(*sourceBlock) bool, visit func(*sourceLine)) {
	var walk func([]*sourceLine)
	walk = func(list []*sourceLine) {
		for _, l := range list {
			visit(l)
			walk(l.inner)
		}
	}
	for i := range s.blocks {
		if choose(&s.blocks[i]) {
			walk(s.blocks[i].lines)
		}
	}
}

// find returns the first line that fits, nil for none.
func (s *source) find(choose func(*sourceBlock) bool, fits func(*sourceLine) bool) (found *sourceLine) {
	s.all(choose, func(l *sourceLine) {
		if found == nil && fits(l) {
			found = l
		}
	})
	return found
}

// ofSite chooses the blocks of a site by the name that a route has: its hosts,
// or else the addresses of its server.
func ofSite(site string) func(*sourceBlock) bool {
	return func(b *sourceBlock) bool {
		return slices.ContainsFunc(b.keys, func(key string) bool {
			return slices.ContainsFunc(strings.Split(site, ", "), func(name string) bool { return isKeyOf(key, name) })
		})
	}
}

// isKeyOf reports whether the key of a site, e.g. http://localhost:8080, is of
// this host, or of this address such as :8080.
func isKeyOf(key, name string) bool {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	key, _, _ = strings.Cut(key, "/")
	if strings.HasPrefix(name, ":") {
		return strings.HasSuffix(key, name) || key == strings.TrimPrefix(name, ":")
	}
	host := key
	if at := strings.LastIndexByte(key, ':'); at >= 0 && !strings.HasSuffix(key, "]") {
		host = key[:at]
	}
	return strings.EqualFold(host, name)
}

func global(b *sourceBlock) bool { return len(b.keys) == 0 }

// named chooses the routes that others invoke.
func named(b *sourceBlock) bool { return len(b.keys) == 1 && strings.HasPrefix(b.keys[0], "&(") }

func anywhere(*sourceBlock) bool { return true }

// starting fits lines that begin with one of these words.
func starting(words ...string) func(*sourceLine) bool {
	return func(l *sourceLine) bool { return slices.Contains(words, l.words[0]) }
}

// placeOf is that of a line, or the file's.
func (s *source) placeOf(l *sourceLine) lint.Place {
	if l == nil {
		return s.whole()
	}
	return l.place
}

// written reports whether a text stands in one of the files: what came out of
// the environment does not.
func (s *source) written(text string) bool {
	for _, file := range s.texts {
		if strings.Contains(file, text) {
			return true
		}
	}
	return false
}
