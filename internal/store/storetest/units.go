package storetest

import "testing"

// Units holds a backend to its part of the contract.
func Units(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
