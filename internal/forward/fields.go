package forward

import (
	"fmt"
	"slices"
	"strings"
)

// identityPrefix begins every default identity field.
const identityPrefix = "x-auth-"

// The names below are in folded form.
var (
	// rereads make an upstream read another method or path than the one that
	// was decided on.
	rereads = []string{
		"x-http-method-override", "x-http-method", "x-method-override", "x-original-method",
		"x-original-url", "x-rewrite-url",
	}
	// cleartext asks for HTTP/2 on the same connection, past the gateway.
	cleartext = []string{"http2-settings"}
	// lists are cleaned and not removed.
	lists = []string{"connection", "trailer", "upgrade"}
	// relied are fields that upstreams decide on: no client may have them
	// removed by naming them in Connection.
	relied = []string{
		"authorization", "proxy-authorization", "cookie", "host", "forwarded", "x-real-ip", "origin",
		"content-type", "content-length", "content-encoding", "transfer-encoding",
	}
	// routed are set by proxies.
	routed = []string{
		"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
		"x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-server",
	}
	hopByHop = []string{"connection", "trailer", "te", "upgrade", "keep-alive", "http2-settings"}
)

// Fields are the names that matter at one site: the identity fields, which are
// every X-Auth-* and those that are configured, and the fields that a client
// must not touch. It is safe for concurrent use.
type Fields struct {
	// touched are all that a request is searched for: removed and lists.
	touched, removed, protected *nameSet
}

// NewFields returns the fields of a site: own beside the default ones. The
// names in protected (those that carry credentials) are left where they are,
// but no client can have them removed through Connection.
func NewFields(own []string, protected ...string) *Fields {
	prefix := []string{identityPrefix}
	return &Fields{
		touched:   newNameSet(prefix, own, rereads, cleartext, lists),
		removed:   newNameSet(prefix, own, rereads, cleartext),
		protected: newNameSet([]string{identityPrefix, "x-forwarded-"}, own, rereads, cleartext, relied, protected),
	}
}

// CheckName returns why a field cannot tell an upstream who the caller is.
// credentials are the fields that the site reads credentials from: what is
// removed before it is read would never be read.
func CheckName(name string, credentials []string) error {
	if name == "" || !isAlnum(name[0]) || strings.ContainsFunc(name, func(c rune) bool { return !isFieldChar(c) }) {
		return fmt.Errorf("%q is no name of a header field", name)
	}
	folded := fold(name)
	if folded == "authorization" || slices.ContainsFunc(credentials, func(c string) bool { return fold(c) == folded }) {
		return fmt.Errorf("the field %s cannot tell the upstream who the caller is: a credential is read from it", name)
	}
	if slices.Contains(slices.Concat(relied, routed, rereads, hopByHop), folded) {
		return fmt.Errorf("the field %s cannot tell the upstream who the caller is: it has a meaning of its own", name)
	}
	return nil
}

// isFieldChar tells the characters of a field name (RFC 9110 section 5.1).
func isFieldChar(c rune) bool {
	return c < 0x80 && (isAlnum(byte(c)) || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
}
