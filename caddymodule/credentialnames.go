package caddymodule

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// credentialNames are the header fields and query parameters that carry
// credentials, so that a log must not show their values, and the paths below
// which a segment may be one.
type credentialNames struct {
	headers, params nameSet
	paths           []string
}

// alwaysHidden are names that carry credentials by custom, whether or not
// anybody configured them: clients also send secrets where nobody asks for
// them.
var alwaysHidden = credentialNames{
	headers: newNameSet(
		"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie",
		"X-Api-Key", "Api-Key", "Apikey", "Token", "X-Token", "X-Auth-Token", "X-Access-Token",
		"Userid", "Entity-Authentication-Token", "Password", "Client-Secret",
	),
	params: newNameSet(
		"token", "access_token", "refresh_token", "id_token", "auth_token", "authtoken",
		"apikey", "api_key", "x-api-key", "authorization", "jwt", "assertion", "client_assertion",
		"password", "passwd", "secret", "client_secret", "entity-authentication-token",
	),
}

// maxCredentialNames bounds each set of registered names: configurations come
// and go, and a set that only grows must end somewhere.
const maxCredentialNames = 512

// registered are the names of every gateway that this process has configured.
// Encoders are provisioned apart from handlers and before them, and access
// logs are still written for a configuration that was replaced: so the names
// live here, only grow, and are read when an entry is encoded.
var (
	registered   atomic.Pointer[credentialNames]
	registeredMu sync.Mutex
)

// registerCredentialNames adds header fields and query parameters whose values
// the log encoder hides from now on, and paths below which it hides tokens.
func registerCredentialNames(headers, params []string, paths ...string) error {
	registeredMu.Lock()
	defer registeredMu.Unlock()
	old := registeredNames()
	next := &credentialNames{headers: old.headers.with(headers), params: old.params.with(params), paths: slices.Clone(old.paths)}
	for _, p := range paths {
		if !slices.Contains(next.paths, p) {
			next.paths = append(next.paths, p)
		}
	}
	if len(next.headers) > maxCredentialNames || len(next.params) > maxCredentialNames || len(next.paths) > maxCredentialNames {
		return errors.New("too many different credential names since the process started: restart it")
	}
	registered.Store(next)
	return nil
}

// registeredNames returns what was registered so far. It must not be changed.
func registeredNames() *credentialNames {
	if names := registered.Load(); names != nil {
		return names
	}
	return &alwaysHidden
}

// nameSet is a set of folded names.
type nameSet map[string]struct{}

func newNameSet(names ...string) nameSet { return nameSet(nil).with(names) }

// with returns a copy that has these names too.
func (s nameSet) with(names []string) nameSet {
	next := make(nameSet, len(s)+len(names))
	maps.Copy(next, s)
	for _, n := range names {
		if folded := string(appendFolded(nil, n)); folded != "" {
			next[folded] = struct{}{}
		}
	}
	return next
}

// has reports whether name is in the set, in any spelling that a server could
// take for it. It does not allocate for names of a sane length.
func (s nameSet) has(name string) bool {
	var buf [64]byte
	_, ok := s[string(appendFolded(buf[:0], name))]
	return ok
}

// appendFolded appends name in the form in which names are compared: lower
// case, `_` and `.` as `-` (CGI and its heirs cannot tell them apart), no
// space around. Case folds as Unicode has it, so that a Kelvin sign hides
// nothing.
func appendFolded(dst []byte, name string) []byte {
	name = strings.TrimSpace(name)
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= utf8.RuneSelf:
			return appendFolded(dst[:0], foldRunes(name))
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '_', c == '.':
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// foldRunes maps runes to ASCII where case folding does so, and every other
// rune to `?`, which no configured name holds.
func foldRunes(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return r
		}
		return '?'
	}, strings.ToLower(strings.ToUpper(name)))
}
