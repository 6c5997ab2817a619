package gateway

import (
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// limitAddress counts a request before anything is looked up for it.
func (s *Site) limitAddress(r *http.Request) error {
	if s.cfg.Rate == nil || s.cfg.Rate.By != RateByAddress {
		return nil
	}
	return s.take("address " + throttle.AddressKey(s.address(r)))
}

// limitCaller counts a request for its credential or its subject; an anonymous
// one counts for its address.
func (s *Site) limitCaller(r *http.Request, got presented) error {
	if s.cfg.Rate == nil || s.cfg.Rate.By == RateByAddress {
		return nil
	}
	p := got.principal()
	switch {
	case p == nil:
		return s.take("address " + throttle.AddressKey(s.address(r)))
	case s.cfg.Rate.By == RateBySubject:
		return s.take("subject " + p.Subject)
	case p.TokenID != "":
		return s.take("token " + p.TokenID)
	default:
		return s.take("key " + strconv.FormatInt(p.KeyID, 10))
	}
}

// take counts one request. The realm is part of the key, so that two sites of
// a realm with one limit share it.
func (s *Site) take(key string) error {
	wait, ok := s.rates.Allow(s.cfg.Realm+" "+key, s.cfg.Rate.Limit)
	if ok {
		return nil
	}
	return &auth.Error{Code: auth.Throttled, Reason: auth.ReasonRate, RetryAfter: wait}
}
