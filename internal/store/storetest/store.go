package storetest

import "testing"

// Whole holds a backend to its part of the contract.
func Whole(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
