package tensor

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// powersOfTen holds the powers from 10^-maxScale on.
var powersOfTen = [...]float64{
	1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28,
	1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18,
	1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8,
	1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2,
	1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32,
	1e33, 1e34, 1e35, 1e36, 1e37, 1e38,
}

const (
	// maxScale keeps every value of fastFloat32 that is not zero within the
	// normal float32.
	maxScale = 37
	// maxDigits is how many decimal digits always fit into a uint64.
	maxDigits = 19
)

// fastFloat32 reads the JSON number at b[i] and gives it correctly rounded with
// the place behind it, or a negative place where it is left to the slow path:
// anything that is not a number, many digits, a far exponent, a value too near
// to the middle between two float32, or the last bytes of b.
//
// The digits are exact in a uint64. Making them a float64, the power of ten, and
// the product of the two are each rounded once, so the product is off by at
// most three units in its last place. Rounding that to float32 is right unless
// the middle between two float32 lies within those three units. The code avoids
// branches on the sign and on how many decimals there are, which no processor
// can foresee.
func fastFloat32(b []byte, i int) (float32, int) {
	var minus uint32
	if i < len(b) && b[i] == '-' {
		minus = 1
	}
	i += int(minus)
	start := i
	var m uint64
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	digits := i - start
	if digits == 0 || digits > 1 && b[start] == '0' {
		return 0, -1
	}
	scale := 0
	if i < len(b) && b[i] == '.' {
		i++
		start = i
		for n := 8; n == 8; i += n {
			if i+8 > len(b) {
				return 0, -1
			}
			var fraction uint64
			fraction, n = leadingDigits(binary.LittleEndian.Uint64(b[i:]))
			m = m*wholePowers[n] + fraction
		}
		if scale = i - start; scale == 0 {
			return 0, -1
		}
	}
	if digits+scale > maxDigits {
		return 0, -1
	}
	exponent := -scale
	if i < len(b) && b[i]|0x20 == 'e' {
		var written int
		if written, i = shortExponent(b, i+1); i < 0 {
			return 0, -1
		}
		exponent += written
	}
	at := exponent + maxScale
	if uint(at) >= uint(len(powersOfTen)) {
		return 0, -1
	}
	v := float64(m) * powersOfTen[at]
	// The low 29 bits of the float64 decide the rounding; their middle is 1<<28.
	if math.Float64bits(v)&(1<<29-1)-(1<<28-4) <= 8 {
		return 0, -1
	}
	return math.Float32frombits(math.Float32bits(float32(v)) | minus<<31), i
}

// shortFloat32 is fastFloat32 for numbers with one digit before the point and few
// behind it, such as -0.125, of which there are many in images and statistics: all of
// it is in eight bytes that are read at once. The place is 0 where there is something
// else. Both the digits and the power of ten are exact in a float32, so that their
// quotient is correctly rounded.
func shortFloat32(b []byte, i int) (float32, int) {
	if i+8 > len(b) {
		return 0, 0
	}
	w := binary.LittleEndian.Uint64(b[i:])
	minus := (w&0xFF ^ '-' - 1) >> 63
	// Where the next number begins depends on this one's length, which is why that is
	// found out on the shortest way: from the bytes that are not digits, all at once.
	skip := (minus << 3) & 63
	n := bits.TrailingZeros64(notDigits(w)>>16>>skip) / 8
	w >>= skip
	whole := w&0xFF - '0'
	end := w >> 16 >> ((8 * n) & 63) & 0xDF
	if whole > 9 || w>>8&0xFF != '.' || uint(n-1) > 4-uint(minus) || end == 'E' {
		return 0, 0
	}
	fraction := eightDigits((w>>16 - zeros) << ((64 - 8*n) & 63))
	v := float32(int32(whole*wholePowers[n&7]+fraction)) / shortPowers[n&7]
	return math.Float32frombits(math.Float32bits(v) | uint32(minus)<<31), i + int(minus) + 2 + n
}

// shortPowers are powers of ten, exactly.
var shortPowers = [8]float32{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000}

// wholePowers are the powers of ten by up to eight digits.
var wholePowers = [...]uint64{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000}

// leadingDigits gives the value of the decimal digits that eight bytes begin
// with, the first in the lowest byte, and how many there are. Bytes that are not
// digits are shifted out, which puts zeros before the first digit.
func leadingDigits(w uint64) (value uint64, n int) {
	n = bits.TrailingZeros64(notDigits(w)) / 8
	return eightDigits((w - zeros) << (64 - 8*n)), n
}

// zeros are eight digits 0.
const zeros = 0x3030303030303030

// notDigits is zero in those of eight bytes that are decimal digits, and only there,
// up to the first that is none.
func notDigits(w uint64) uint64 {
	const high = 0xF0F0F0F0F0F0F0F0
	return (w&high | ((w+0x0606060606060606)&high)>>4) ^ 0x3333333333333333
}

// eightDigits gives the value of eight bytes from 0 to 9, the first digit in the lowest
// one: neighbours are added, digits to pairs, pairs to fours, fours to eight.
func eightDigits(w uint64) uint64 {
	const pairs = 0x000000FF000000FF
	w = w*10 + w>>8
	return ((w&pairs)*(100+1000000<<32) + (w>>16&pairs)*(1+10000<<32)) >> 32
}

// shortExponent reads an exponent of one or two digits, what stands behind the
// letter; the place is negative where there is something else.
func shortExponent(b []byte, i int) (exponent, end int) {
	negative := false
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		negative = b[i] == '-'
		i++
	}
	start := i
	for i < len(b) && b[i]-'0' <= 9 && i-start < 3 {
		exponent = exponent*10 + int(b[i]-'0')
		i++
	}
	if n := i - start; n == 0 || n > 2 {
		return 0, -1
	}
	if negative {
		exponent = -exponent
	}
	return exponent, i
}

// number reads over a number, held to JSON's grammar, and gives its text, which
// shares b's memory; nil where there is none.
func (s *scanner) number() (text string, integer bool) {
	b, i := s.b, s.i
	digits := func() bool {
		start := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	if !digits() || b[first] == '0' && i > first+1 {
		return "", false
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		i++
		integer = false
		if !digits() {
			return "", false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		integer = false
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return "", false
		}
	}
	text = unsafe.String(&b[s.i], i-s.i)
	s.i = i
	return text, integer
}

// float reads a number, or one of the words for what numbers cannot say,
// rounded to a float of that many bits. A number out of range is infinite.
func (s *scanner) float(size int) (float64, bool) {
	if text, _ := s.number(); text != "" {
		v, _ := strconv.ParseFloat(text, size) // only the range can be wrong
		return v, true
	}
	switch {
	case s.literal("NaN"):
		return math.NaN(), true
	case s.literal("Infinity"), s.literal("Inf"):
		return math.Inf(1), true
	case s.literal("-Infinity"), s.literal("-Inf"):
		return math.Inf(-1), true
	}
	return 0, false
}

// narrow gives v in a 16-bit format with the given number of exponent and
// mantissa bits, rounded to the nearest, halves to even.
func narrow(v float64, exponentBits, mantissaBits int) uint16 {
	whole := math.Float64bits(v)
	sign := uint16(whole >> 63 << 15)
	maxExponent := 1<<exponentBits - 1
	infinity := uint16(maxExponent << mantissaBits)
	if math.IsNaN(v) {
		return sign | infinity | 1<<(mantissaBits-1)
	}
	exponent := int(whole>>52&0x7FF) - 1023 + maxExponent/2
	if exponent >= maxExponent {
		return sign | infinity
	}
	mantissa := whole&(1<<52-1) | 1<<52
	shift := 52 - mantissaBits
	if exponent < 1 { // below the normal numbers: a fixed exponent
		shift += 1 - exponent
		exponent = 1
		if shift > 54 {
			return sign
		}
	}
	q := mantissa >> shift
	rest, half := mantissa&(1<<shift-1), uint64(1)<<(shift-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	// q still has the leading one of a normal number; a carry out of the
	// mantissa raises the exponent by itself.
	return sign | uint16(uint64(exponent-1)<<mantissaBits+q)
}

// widen is the inverse of narrow.
func widen(h uint16, exponentBits, mantissaBits int) float64 {
	maxExponent := 1<<exponentBits - 1
	exponent := int(h>>mantissaBits) & maxExponent
	mantissa := float64(h & (1<<mantissaBits - 1))
	var v float64
	switch {
	case exponent == maxExponent && mantissa != 0:
		return math.NaN()
	case exponent == maxExponent:
		v = math.Inf(1)
	case exponent == 0:
		v = math.Ldexp(mantissa, 1-maxExponent/2-mantissaBits)
	default:
		v = math.Ldexp(mantissa+float64(uint(1)<<mantissaBits), exponent-maxExponent/2-mantissaBits)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}
