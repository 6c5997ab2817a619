package storetest

import "testing"

// Accounts holds a backend to its part of the contract.
func Accounts(t *testing.T, b Backend) {
	b.hold(t, []clause{})
}
