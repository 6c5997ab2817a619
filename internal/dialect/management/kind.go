package management

import (
	"encoding/base64"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The options of this dialect.
const (
	optionLoginKey      = "login_requires_key"
	optionFailureStatus = "login_failure_status"
	optionCredentials   = "credentials"
	optionKeyHeader     = "key_header"
)

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name:        "management",
		Base:        "/v1/auth",
		TTL:         30 * time.Minute,
		Credentials: credentials,
		Yields:      yields(),
		Refused: map[string]string{
			"idle": "a management token has an absolute life: its clients know no idle expiry",
		},
		Options: options(),
		Session: func(_ dialect.Config, s *session.Config) { s.Form = form },
		Renamed: func(cfg dialect.Config) map[string]string {
			return map[string]string{bearer.DefaultKeyHeader: keyHeader(cfg)}
		},
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// form is 22 base64url characters, as in the original.
func form(random [16]byte) string { return base64.RawURLEncoding.EncodeToString(random[:]) }

func credentials(cfg dialect.Config) []bearer.Spec {
	return []bearer.Spec{
		{Kind: auth.Bearer},
		{Kind: auth.APIKey, Name: keyHeader(cfg)},
	}
}

func keyHeader(cfg dialect.Config) string { return cfg.Arg(optionKeyHeader, bearer.DefaultKeyHeader) }

// yields says that a bad Bearer beside a good key is accepted by the key.
func yields() [][2]auth.CredentialKind {
	return [][2]auth.CredentialKind{{auth.Bearer, auth.APIKey}}
}

func options() []dialect.Option {
	return []dialect.Option{
		dialect.Flag(optionLoginKey),
		dialect.Word(optionFailureStatus, "200", "401"),
		dialect.Word(optionCredentials, "both", "either"),
		{Name: optionKeyHeader, Usage: "<name>", Check: checkKeyHeader},
	}
}

func checkKeyHeader(args []string) error {
	name, err := dialect.OneArgument(args, "name of a header field")
	if err != nil {
		return err
	}
	return bearer.Spec{Kind: auth.APIKey, Name: name}.Check()
}
