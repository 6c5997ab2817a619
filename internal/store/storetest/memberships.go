package storetest

import "testing"

// Memberships holds a backend to its part of the contract.
func Memberships(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
