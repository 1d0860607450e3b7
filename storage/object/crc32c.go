package object

// joinCRC32C gives the CRC32C of one content followed by another, of size bytes,
// from the CRC32C of each: appending n zero bits to a message multiplies its
// remainder by x^n modulo the polynomial, in the reflected order of bits that
// CRC32C has.
func joinCRC32C(first, second uint32, size int64) uint32 {
	shifted, power := first, uint32(1)<<30 // x^1
	for n := uint64(size) * 8; n > 0; n >>= 1 {
		if n&1 != 0 {
			shifted = multiplyCRC32C(shifted, power)
		}
		power = multiplyCRC32C(power, power)
	}
	return shifted ^ second
}

// reflectedCastagnoli is the polynomial, lowest power in the highest bit.
const reflectedCastagnoli = 0x82f63b78

// multiplyCRC32C multiplies two polynomials modulo that of CRC32C. The highest
// bit is the coefficient of x^0.
func multiplyCRC32C(a, b uint32) (product uint32) {
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b&1 != 0
		if b >>= 1; carry {
			b ^= reflectedCastagnoli
		}
	}
	return product
}
