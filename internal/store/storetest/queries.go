package storetest

import "testing"

// SessionQueries holds a backend to its part of the contract.
func SessionQueries(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
