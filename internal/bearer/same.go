package bearer

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// DefaultKeyHeader carries an API key where no other name is configured.
const DefaultKeyHeader = "x-api-key"

// SameSource reports whether two specs read the same place of a request.
// Names that differ in case alone count as one: two specs with them would see
// the same parameter.
func (s Spec) SameSource(other Spec) bool {
	return s.Kind == other.Kind && strings.EqualFold(s.sourceName(), other.sourceName())
}

// sourceName returns the name that tells sources of one kind apart.
func (s *Spec) sourceName() string {
	switch s.Kind {
	case auth.APIKey:
		return s.header()
	case auth.Query, auth.Body:
		return s.Name
	}
	return ""
}
