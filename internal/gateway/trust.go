package gateway

import (
	"errors"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
)

// addTrust checks the outside issuers. Their tokens stand where RFC 6750 puts
// them, and nowhere else.
func (s *Site) addTrust() (err error) {
	if s.trust, err = issuer.NewTrust(s.cfg.Trust); err != nil || s.trust == nil {
		return err
	}
	if !slices.ContainsFunc(s.specs, isBearer) {
		return errors.New("trust: the tokens of an outside issuer are bearer tokens: accept bearer too")
	}
	return nil
}

func isBearer(s bearer.Spec) bool { return s.Kind == auth.Bearer }

// outsiders is how the tokens of outside issuers are read: as a plain bearer,
// whatever form the tokens of the dialects have.
func (s *Site) outsiders() []bearer.Spec {
	if len(s.cfg.Trust) == 0 {
		return nil
	}
	return []bearer.Spec{{Kind: auth.Bearer}}
}
