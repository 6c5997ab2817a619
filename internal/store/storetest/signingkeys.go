package storetest

import "testing"

// SigningKeys holds a backend to its part of the contract.
func SigningKeys(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
