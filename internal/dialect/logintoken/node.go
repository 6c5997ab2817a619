package logintoken

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// node is a part of a query, of the flat form that Feathers clients send
// (`id[$in][0]=…`, as the package qs writes it) or of the JSON of the page's
// filter.
type node struct {
	kind nodeKind
	text string
	// keys are those of a branch, in the order in which they came. An array
	// is a branch whose keys are numbers, or one that JSON says is one.
	keys     []string
	children map[string]*node
	array    bool
}

type nodeKind uint8

const (
	branch nodeKind = iota
	textual
	null
	// other is a JSON value that no query holds: a number, true or false.
	other
)

// The bounds of a query, which stop a short one from costing much. They are
// those of qs, save that it passes over what exceeds them.
const (
	maxPairs = 1000
	maxDepth = 5
	// maxIndex bounds the numbers between brackets.
	maxIndex = 9999
)

func newBranch() *node { return &node{children: map[string]*node{}} }

// parseFlat reads a query string. Brackets may be percent-encoded or not.
func parseFlat(raw string) (*node, error) {
	root := newBranch()
	if strings.Count(raw, "&") >= maxPairs {
		return nil, badQuery("The query has too many parameters")
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = unescape(value); err != nil {
			return nil, err
		}
		keys, err := splitName(name)
		if err != nil {
			return nil, err
		}
		if err := root.put(keys, value); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func badQuery(text shown) error { return auth.Fail(auth.Malformed, auth.ReasonForm, text) }

func unescape(text string) (string, error) {
	out, err := url.QueryUnescape(text)
	if err != nil || !utf8.ValidString(out) || strings.ContainsRune(out, 0) {
		return "", badQuery("The query is not well encoded")
	}
	return out, nil
}

// splitName cuts `a[b][c]` into its keys.
func splitName(name string) ([]string, error) {
	first, rest, nested := strings.Cut(name, "[")
	keys := []string{first}
	for nested {
		key, after, closed := strings.Cut(rest, "]")
		if !closed || strings.Contains(key, "[") || after != "" && after[0] != '[' {
			return nil, badQuery("The query has brackets that do not match")
		}
		keys = append(keys, key)
		rest, nested = strings.CutPrefix(after, "[")
	}
	if first == "" || strings.Contains(first, "]") || len(keys) > maxDepth+1 {
		return nil, badQuery("The query has brackets that do not match, or too many")
	}
	return keys, nil
}

// put adds a text below keys. An empty key, and a text that comes again, is
// the next element of an array.
func (n *node) put(keys []string, text string) error {
	for _, key := range keys[:len(keys)-1] {
		if n = n.child(key); n.kind != branch {
			return badQuery("The query says one thing in two ways")
		}
	}
	last := n.key(keys[len(keys)-1])
	known := n.children[last]
	switch {
	case known == nil:
		n.add(last, &node{kind: textual, text: text})
	case known.kind == textual:
		array := newBranch()
		array.add("0", known)
		array.add("1", &node{kind: textual, text: text})
		n.children[last] = array
	case known.isArray():
		known.add(known.key(""), &node{kind: textual, text: text})
	default:
		return badQuery("The query says one thing in two ways")
	}
	return nil
}

// child returns the branch of a key, which is made where there is none.
func (n *node) child(key string) *node {
	key = n.key(key)
	if n.children[key] == nil {
		n.add(key, newBranch())
	}
	return n.children[key]
}

// key returns the key itself, and for an empty one the next of an array.
func (n *node) key(key string) string {
	if key != "" {
		return key
	}
	for i := len(n.keys); ; i++ {
		if next := strconv.Itoa(i); n.children[next] == nil {
			return next
		}
	}
}

func (n *node) add(key string, child *node) {
	n.keys = append(n.keys, key)
	n.children[key] = child
}

// isArray reports whether n is an array, which the flat form says by the keys
// alone.
func (n *node) isArray() bool {
	return n.array || len(n.keys) > 0 && !slices.ContainsFunc(n.keys, func(k string) bool { _, ok := index(k); return !ok })
}

// elements returns those of an array in the order of their numbers.
func (n *node) elements() []*node {
	keys := slices.Clone(n.keys)
	slices.SortFunc(keys, func(a, b string) int {
		i, _ := index(a)
		j, _ := index(b)
		return i - j
	})
	list := make([]*node, len(keys))
	for i, key := range keys {
		list[i] = n.children[key]
	}
	return list
}

// index reads the number of an element, in its one spelling.
func index(key string) (int, bool) {
	i, err := strconv.Atoi(key)
	return i, err == nil && i >= 0 && i <= maxIndex && strconv.Itoa(i) == key
}

// parseJSON reads the page's filter.
func parseJSON(text string) (*node, error) {
	v, err := dialect.ParseValue([]byte(text))
	if err != nil {
		return nil, err
	}
	return fromJSON(v), nil
}

func fromJSON(v any) *node {
	switch v := v.(type) {
	case nil:
		return &node{kind: null}
	case string:
		return &node{kind: textual, text: v}
	case []any:
		n := newBranch()
		n.array = true
		for i, item := range v {
			n.add(strconv.Itoa(i), fromJSON(item))
		}
		return n
	case map[string]any:
		n := newBranch()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.add(key, fromJSON(v[key]))
		}
		return n
	case json.Number, bool:
	}
	return &node{kind: other}
}
