package admin

import (
	"fmt"
	"net/netip"
)

// ParsePrefix reads an entry of an allow-list: a CIDR prefix, or an address,
// which is the prefix of itself. An IPv4 address in IPv6 form is taken as IPv4.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no address like 192.0.2.7 and no prefix like 192.0.2.0/24", text)
	}
	return p.Masked(), nil
}

// importPrefix is an entry of an allow-list in an import.
type importPrefix netip.Prefix

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *importPrefix) UnmarshalText(text []byte) error {
	parsed, err := ParsePrefix(string(text))
	*p = importPrefix(parsed)
	return err
}

func prefixesOf(all []importPrefix) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range all {
		list = append(list, netip.Prefix(p))
	}
	return list
}
