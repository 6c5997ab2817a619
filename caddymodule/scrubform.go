package caddymodule

import (
	"regexp"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// ownSecrets are the tokens and keys that were made here and say so: they are
// hidden wherever a client misplaced them, under whatever name.
var ownSecrets = regexp.MustCompile(regexp.QuoteMeta(token.OpaquePrefix) + `[0-9A-Za-z_-]{22}|api_[0-9a-z]{24}`)

// scrubForms returns text without them. The beginning of a key, which names it
// in lists, stays.
func scrubForms(text string) string {
	if !strings.Contains(text, token.OpaquePrefix) && !strings.Contains(text, "api_") {
		return text
	}
	return ownSecrets.ReplaceAllLiteralString(text, auth.Redacted)
}
