package store

import (
	"strings"

	"golang.org/x/text/secure/precis"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// maxName bounds a name in bytes, so that no name fills a log line or an index.
const maxName = 256

// NameKey folds a username, an email or an account id into the form in which
// it is compared: RFC 8265 UsernameCaseMapped. One rule holds at creation, at
// login, for attempt counters and in the log, so that no spelling of a name is
// another account. [auth.Malformed] for what cannot be a name.
func NameKey(name string) (string, error) {
	return fold(precis.UsernameCaseMapped, name)
}

// TenantKey folds the name of a tenant or unit, which may hold spaces: RFC
// 8266 Nickname.
func TenantKey(name string) (string, error) {
	return fold(precis.Nickname, name)
}

func fold(profile *precis.Profile, name string) (string, error) {
	if len(name) > maxName || strings.ContainsRune(name, 0) {
		return "", auth.Fail(auth.Malformed, auth.ReasonForm, nil)
	}
	key, err := profile.CompareKey(name)
	if err != nil {
		return "", auth.Fail(auth.Malformed, auth.ReasonForm, err)
	}
	return key, nil
}
