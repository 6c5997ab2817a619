package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Source says where the keys of an issuer are.
type Source struct {
	// Issuer is its URL.
	Issuer string
	// JWKS is the address of its key set; "" is the one that its metadata
	// names.
	JWKS string
}

// Bounds on what is fetched: they stop an issuer that is broken or taken over
// from filling memory or holding connections.
const (
	maxMetadata  = 64 << 10
	maxSet       = 256 << 10
	fetchTimeout = 10 * time.Second // for all that it takes
	stepTimeout  = 5 * time.Second  // to connect, or to begin an answer
	maxRedirects = 3
)

// newClient returns a client for issuers. It follows redirects within one host
// alone: another host is one that nobody named. Connections are not kept, since
// there are minutes between two of them.
func newClient() *http.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: stepTimeout}).DialContext,
		TLSHandshakeTimeout:    stepTimeout,
		ResponseHeaderTimeout:  stepTimeout,
		MaxResponseHeaderBytes: maxMetadata,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
	}
	return &http.Client{Transport: transport, CheckRedirect: withinHost}
}

func withinHost(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if len(before) > maxRedirects || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return errors.New("it redirects elsewhere")
	}
	return nil
}

// fetch reads the keys that the issuer publishes now.
func (s Source) fetch(ctx context.Context, c *http.Client, now time.Time) (*set, error) {
	address := s.JWKS
	if address == "" {
		var err error
		if address, err = s.discover(ctx, c); err != nil {
			return nil, err
		}
	}
	text, status, err := get(ctx, c, address, maxSet)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", plain(address), status)
	}
	keys, err := newSet(text, now)
	if err != nil {
		return nil, fmt.Errorf("the key set of %s: %w", plain(address), err)
	}
	return keys, nil
}

// discover returns the jwks_uri of the issuer's metadata: that of OpenID
// Connect Discovery 1.0 section 4, or of RFC 8414 section 3 where it has none.
func (s Source) discover(ctx context.Context, c *http.Client) (string, error) {
	u, err := url.Parse(s.Issuer)
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	origin := u.Scheme + "://" + u.Host
	for _, address := range []string{
		origin + path + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	} {
		text, status, err := get(ctx, c, address, maxMetadata)
		if err != nil {
			return "", err
		}
		switch status {
		case http.StatusOK:
			return s.jwksURI(text, u.Scheme)
		case http.StatusNotFound:
			continue
		}
		return "", fmt.Errorf("%s answers %d", address, status)
	}
	return "", fmt.Errorf("%s has no metadata: name the address of its key set with jwks", s.Issuer)
}

// jwksURI reads metadata. They must be of this very issuer (RFC 8414 section
// 3.3). The address they name needs https unless the issuer itself does
// without: nobody else points us to a service of this machine.
func (s Source) jwksURI(text []byte, scheme string) (string, error) {
	members, err := decode(text)
	if err != nil {
		return "", fmt.Errorf("the metadata of %s: %w", s.Issuer, err)
	}
	if members["issuer"] != s.Issuer {
		return "", fmt.Errorf("the metadata of %s are those of another issuer", s.Issuer)
	}
	address, _ := members["jwks_uri"].(string)
	u, err := checkAddress(address)
	if err != nil || u.Scheme != "https" && scheme == "https" {
		return "", fmt.Errorf("the metadata of %s name no jwks_uri with https", s.Issuer)
	}
	return address, nil
}

// get reads what an address answers, up to limit bytes.
func get(ctx context.Context, c *http.Client, address string, limit int64) (text []byte, status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%s is no address", plain(address))
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	answer, err := c.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", plain(address), withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", plain(address), err)
	}
	if int64(len(text)) > limit {
		return nil, 0, fmt.Errorf("%s answers more than %d bytes", plain(address), limit)
	}
	return text, answer.StatusCode, nil
}

// plain cuts the query off an address, which may hold a secret.
func plain(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
