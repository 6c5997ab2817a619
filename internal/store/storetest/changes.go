package storetest

import "testing"

// Changes holds a backend to its part of the contract.
func Changes(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
