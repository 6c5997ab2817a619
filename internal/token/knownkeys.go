package token

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// known reports whether a key of 32 bytes is one that the world has: an
// example from documentation, or a secret that leaked and is on public lists
// of JWT secrets. Anyone would try those first.
func known(secret []byte) bool {
	sum := sha256.Sum256(secret)
	return slices.Contains(knownKeys[:], binary.BigEndian.Uint64(sum[:]))
}

// knownKeys are the first eight bytes of the SHA-256 of each such key. The
// tests compare them with the list that they were made from.
var knownKeys = [...]uint64{
	0x04cba21be64800bf, 0x0500a4566b68665d, 0x0509e91eeda34b8b, 0x05f85d5ddf05221e,
	0x0671e6cc3d36a494, 0x095586f2d7684b29, 0x0a8f4b29434fd5bb, 0x0b008ea50aaf7649,
	0x0bea848e2e030718, 0x0c73973c0b61b402, 0x0cbf036a0714d927, 0x1287c3026ef22008,
	0x136cb1c5a79bc9d9, 0x1b24ba18c4ead6b5, 0x1b97120920bc8b6d, 0x201a3b2fb7d0ca13,
	0x2c854ba9e47a9318, 0x32384bb151fd6a06, 0x3b5d9c7a92f139c0, 0x3d1d27f135326197,
	0x3d2d9682cdba5296, 0x4650818ffc748404, 0x47bd8a84eb0e25ff, 0x4a6f8bfaba695281,
	0x4d0f8dec4515d07a, 0x55fdbfbbb42f19ee, 0x5ae96b4d5b00420d, 0x5b2107812a20bb20,
	0x5bdb132d49b8e0e0, 0x61afd3d885d1c039, 0x61f1da12538d4302, 0x644d50ab64864c20,
	0x66ea198f8bd7a297, 0x6987a138cd779bfc, 0x6eabba382eb7fe68, 0x72e93f140b3e020b,
	0x73ffea6fe2cb1acb, 0x763dbd93ea197b58, 0x7649b015af878268, 0x78d6d5a37d26030a,
	0x7c4559f241199523, 0x82008449e599f564, 0x83d2754531c7ac2c, 0x86e7b679b3186252,
	0x870c72af8da1f755, 0x890ac1e04ebc402a, 0x8b82aba37af7ab64, 0x99cdb39f17075af6,
	0x9a2c5f9b9f29fa2f, 0x9bd9c7937be5b186, 0xa2c0ddb12e705839, 0xa574b977570a36ea,
	0xa68b21971a33f227, 0xab45ed20c97eff86, 0xae2026773b519c5a, 0xaed4d3dc94fec2d9,
	0xb1e819867577b429, 0xb2a78934b1d95891, 0xb529610e864e4176, 0xb80ebc93da4d44a8,
	0xbab4c309cbb1d536, 0xc2224c6c50ab6890, 0xc2d7456b64f246fa, 0xc335b21940246c53,
	0xc80c0bd20d8cf15f, 0xc94b824e053f5a79, 0xcc97a9c7eff8b701, 0xd8d3cc84b65c6b0f,
	0xe200a4b84886cc2e, 0xe28b3e7392f106eb, 0xe4caa2a0e2294505, 0xe6fcabfaba25fa51,
	0xe8d87064f2b18bb3, 0xeaecc7efc078cca8, 0xeaef856082811f42, 0xed34906c5c1a01ad,
	0xef82b0d299126ebe, 0xf199d48532334c77, 0xf38ec10ec300f2f3, 0xfa2767f3d860991b,
	0xfacd6ef1a42ed8b3, 0xfc15d400132c0be3,
}
