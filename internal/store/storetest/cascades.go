package storetest

import "testing"

// Cascades holds a backend to its part of the contract.
func Cascades(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
