package storetest

import "testing"

// Tenants holds a backend to its part of the contract.
func Tenants(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
