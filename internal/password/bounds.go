package password

// bounds is the most that a stored string may ask for. Each scheme's work is
// two or three seconds at most on a slow core, well above what is recommended
// today: without it one imported row could stop all logins.
type bounds struct {
	memoryKiB uint64 // of argon2
	argon2    uint64 // memory in KiB times passes
	lanes     uint32 // of argon2 and scrypt
	scrypt    uint64 // N times r times p; 2^21 is 256 MiB when p is 1
	pbkdf2    uint64 // rounds times blocks of output
	bcrypt    uint32 // the cost, a power of two
}

var defaultBounds = bounds{
	memoryKiB: 256 << 10,
	argon2:    1 << 20,
	lanes:     16,
	scrypt:    1 << 21,
	pbkdf2:    2_000_000,
	bcrypt:    14,
}

// admitting returns the bounds with room for what the operator configured.
func (b bounds) admitting(c argon2Cost) bounds {
	b.memoryKiB = max(b.memoryKiB, uint64(c.memory))
	b.argon2 = max(b.argon2, c.work())
	b.lanes = max(b.lanes, uint32(c.lanes))
	return b
}
