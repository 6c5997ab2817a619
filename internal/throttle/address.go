package throttle

import "net/netip"

// AddressKey returns the key under which a client's address is counted: an
// IPv4 address as it is, an IPv6 address by its /64, which is what one
// customer is given. An IPv4 address written as IPv6 is the IPv4 address, and
// a zone says nothing. The key is bytes, not text; the zero Addr yields "".
//
// It is small enough to be inlined, so that a key that is only looked up is
// not allocated.
func AddressKey(a netip.Addr) string {
	b, n := addressBytes(a)
	return string(b[:n])
}

func addressBytes(a netip.Addr) (b [16]byte, n int) {
	if !a.IsValid() {
		return b, 0
	}
	b = a.Unmap().As16()
	if !a.Unmap().Is4() {
		clear(b[8:])
	}
	return b, len(b)
}
