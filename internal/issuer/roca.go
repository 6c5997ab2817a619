package issuer

import "math/big"

// rocaPrimes are those whose residues give away a modulus that was made by the
// library of CVE-2017-15361: its primes are powers of 65537 modulo each of
// them.
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
	89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// isROCA reports whether a modulus has that fingerprint. The chance that
// another one does is less than 2^-27.
func isROCA(n *big.Int) bool {
	var rest big.Int
	for _, p := range rocaPrimes {
		if !isPower(rest.Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

// isPower reports whether r is a power of 65537 modulo p.
func isPower(r, p int64) bool {
	x := int64(1)
	for range p {
		if x == r {
			return true
		}
		x = x * 65537 % p
	}
	return false
}
