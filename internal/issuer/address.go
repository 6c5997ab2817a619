package issuer

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxAddress bounds the URL of an issuer and that of its keys in bytes.
const maxAddress = 512

// checkURL takes the URL of an issuer (OpenID Connect Discovery 1.0 section 3,
// RFC 8414 section 2): https, or http on this machine, without query and
// fragment. It begins subjects, so it is plain ASCII without `|`.
func checkURL(text string) error {
	u, err := checkAddress(text)
	if err != nil {
		return err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return fmt.Errorf("%s has a query: an issuer has none", text)
	}
	return nil
}

// checkAddress takes an address that keys may be fetched from: https, since
// whoever changes the keys on the way signs what they like, or http where there
// is no way.
func checkAddress(text string) (*url.URL, error) {
	if text == "" || len(text) > maxAddress || strings.ContainsFunc(text, oddInAddress) {
		return nil, fmt.Errorf("%.60q must be a URL of at most %d plain characters", text, maxAddress)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return nil, fmt.Errorf("%s must be a URL with a host", text)
	}
	if u.User != nil || strings.Contains(text, "#") {
		return nil, errors.New("an issuer's URL has neither a user nor a fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !onLoopback(u)) {
		return nil, fmt.Errorf("%s must begin with https://: plain http is for this machine alone", text)
	}
	return u, nil
}

func oddInAddress(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`|{}\"<>^`+"`", c)
}

// onLoopback reports whether the host of a URL is this machine.
func onLoopback(u *url.URL) bool {
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.Unmap().IsLoopback()
}
