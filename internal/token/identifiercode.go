package token

import "github.com/gatehouse-auth/gatehouse/internal/auth"

// codeUse keeps the MAC of an authentication code apart from any other use of
// the key ring.
const codeUse = "identifier"

// CodeMAC returns what is kept of an authentication code of a realm: its MAC
// under the first key of the ring, so that whoever has the store alone can
// neither read a code nor try codes against it.
func CodeMAC(r *Ring, realm, code string) auth.Digest {
	return auth.Digest(r.MAC(codeUse, realm, code))
}

// CodeMACs returns what [CodeMAC] gives under each key of the ring, the first
// key first: a code is looked up by all of them, since a rotation of the ring
// leaves what is kept as it is.
func CodeMACs(r *Ring, realm, code string) []auth.Digest {
	macs := r.MACs(codeUse, realm, code)
	digests := make([]auth.Digest, len(macs))
	for i, mac := range macs {
		digests[i] = mac
	}
	return digests
}
