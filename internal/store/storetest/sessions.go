package storetest

import "testing"

// Sessions holds a backend to its part of the contract.
func Sessions(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
