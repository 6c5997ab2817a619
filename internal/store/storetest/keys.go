package storetest

import "testing"

// Keys holds a backend to its part of the contract.
func Keys(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
