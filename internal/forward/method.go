package forward

import (
	"fmt"
	"net/http"
	"slices"
)

// Method reports whether requests of this method are forwarded: those of RFC
// 9110 and RFC 5789 but TRACE and CONNECT, and those in extra. A method is
// compared byte for byte; one that [CheckMethod] refuses never passes.
func Method(m string, extra []string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return slices.Contains(extra, m) && CheckMethod(m) == nil
}

// CheckMethod returns why a method cannot be forwarded, nil if it can. TRACE
// and TRACK answer with the request, credentials and our fields included;
// CONNECT asks for a tunnel; and a lower-case name reads as the upper-case one
// to some upstreams, which every rule about methods would miss.
func CheckMethod(m string) error {
	switch m {
	case "":
		return fmt.Errorf("a method has a name")
	case http.MethodTrace, "TRACK":
		return fmt.Errorf("%s is never forwarded: it answers with the credential", m)
	case http.MethodConnect:
		return fmt.Errorf("%s is never forwarded: it opens a tunnel", m)
	}
	for _, c := range m {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("%q is no method: upper-case letters, digits, - and _ only", m)
		}
	}
	return nil
}
