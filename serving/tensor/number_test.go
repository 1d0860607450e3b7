package tensor

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
)

// checkFloat32 compares the scanner's value of a number with strconv's, bit for bit.
func checkFloat32(t *testing.T, text string) {
	t.Helper()
	want64, _ := strconv.ParseFloat(text, 32)
	want := float32(want64)
	// The fast path wants to look beyond the number.
	got, end := fastFloat32([]byte(text+",       "), 0)
	if end < 0 {
		s := scanner{b: []byte(text)}
		slow, ok := s.float(32)
		if !ok || s.i != len(text) {
			t.Fatalf("%s was not read", text)
		}
		got, end = float32(slow), s.i
	}
	if end != len(text) || math.Float32bits(got) != math.Float32bits(want) {
		t.Fatalf("%s: got %x up to %d, want %x", text, math.Float32bits(got), end, math.Float32bits(want))
	}
}

func TestFastFloat32_Random(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60_000 {
		// any float32, any float64, and the decimal numbers that people write
		f := math.Float32frombits(r.Uint32() & 0x7F7FFFFF)
		checkFloat32(t, strconv.FormatFloat(float64(f), 'g', -1, 32))
		checkFloat32(t, strconv.FormatFloat(-float64(f), 'e', 8, 32))
		checkFloat32(t, strconv.FormatFloat(r.NormFloat64(), 'f', -1, 64))
		checkFloat32(t, strconv.FormatFloat(r.Float64()*1000, 'f', r.IntN(12), 64))
		checkFloat32(t, fmt.Sprintf("%d.%0*de%d", r.IntN(1000), 1+r.IntN(10), r.IntN(100000), r.IntN(80)-40))
	}
}

// Numbers exactly between two float32, and a hair beside, must round as if with
// infinite precision.
func TestFastFloat32_Halfway(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		bits := r.Uint32() & 0x7FFFFFFF
		if e := bits >> 23; e < 60 || e > 190 {
			bits = bits&0x007FFFFF | uint32(100+r.IntN(60))<<23
		}
		low, high := math.Float32frombits(bits), math.Float32frombits(bits+1)
		middle := new(big.Float).SetPrec(200).Add(big.NewFloat(float64(low)), big.NewFloat(float64(high)))
		middle.Quo(middle, big.NewFloat(2))
		for digits := 8; digits <= 30; digits++ {
			checkFloat32(t, middle.Text('e', digits))
		}
		checkFloat32(t, middle.Text('f', -1))
		for _, beside := range []float64{math.Nextafter(float64(low)/2+float64(high)/2, math.Inf(1)), math.Nextafter(float64(low)/2+float64(high)/2, 0)} {
			checkFloat32(t, strconv.FormatFloat(beside, 'g', -1, 64))
		}
	}
}

func TestFastFloat32_Edges(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "0.0", "-0.0", "0e0", "-0e-5", "1", "16777217", "16777219", "9007199791611905", "340282350000000000000000000000000000000",
		"3.4028235e38", "3.4028236e38", "3.40282356779733642752e38", "3.4028235677973366e38", "3.402823669e38", "1e39", "1e400", "-1e400",
		"1.17549435e-38", "1.1754943e-38", "1.4e-45", "7.0e-46", "7.1e-46", "1e-50", "1e-400", "1.401298464324817e-45",
		"0.00000000000000000001", "0.0000000000000000000001", "1.00000000000000000000", "12345678.12345678", "1.12345678", "1.123456789012345678",
		"9999999999999999999", "99999999999999999999", "18446744073709551616", "1E5", "1e+05", "1e-05", "1e22", "1e23", "123456789e-22",
	} {
		checkFloat32(t, text)
	}
}

func TestNarrow_AllHalves(t *testing.T) {
	for _, format := range []struct{ exponent, mantissa int }{{halfExponent, halfMantissa}, {bfloatExponent, bfloatMantissa}} {
		for h := range 1 << 16 {
			v := widen(uint16(h), format.exponent, format.mantissa)
			got := narrow(v, format.exponent, format.mantissa)
			if math.IsNaN(v) {
				if !math.IsNaN(widen(got, format.exponent, format.mantissa)) {
					t.Fatalf("%04x: NaN became %04x", h, got)
				}
				continue
			}
			if got != uint16(h) {
				t.Fatalf("%04x: %v became %04x", h, v, got)
			}
			// Between this value and the next, the nearer one wins, and the even one of two.
			next := widen(uint16(h+1), format.exponent, format.mantissa)
			if h&0x7FFF >= (1<<format.exponent-1)<<format.mantissa-1 || math.IsNaN(next) {
				continue
			}
			middle := v/2 + next/2
			even := uint16(h + h&1)
			if got := narrow(middle, format.exponent, format.mantissa); got != even {
				t.Fatalf("between %04x and the next: %04x", h, got)
			}
			if got := narrow(math.Nextafter(middle, v), format.exponent, format.mantissa); got != uint16(h) {
				t.Fatalf("just before the middle of %04x and the next: %04x", h, got)
			}
		}
	}
}

// All numbers of the short form, with either sign, are taken and correctly rounded.
func TestShortFloat32_All(t *testing.T) {
	for digits, limit := 1, 10; digits <= 5; digits, limit = digits+1, limit*10 {
		for whole := range 10 {
			for fraction := range limit {
				text := fmt.Sprintf("%d.%0*d", whole, digits, fraction)
				want, err := strconv.ParseFloat(text, 32)
				if err != nil {
					t.Fatal(err)
				}
				for _, sign := range []string{"", "-"} {
					if digits == 5 && sign == "-" {
						continue // what follows is not among the eight bytes
					}
					got, end := shortFloat32([]byte(sign+text+",       "), 0)
					if sign == "-" {
						want = math.Copysign(want, -1)
					}
					if end != len(sign+text) || math.Float32bits(got) != math.Float32bits(float32(want)) {
						t.Fatalf("%s%s: %v up to %d", sign, text, got, end)
					}
				}
			}
		}
	}
}

// Whatever it takes is a whole JSON number of this value.
func TestShortFloat32_Random(t *testing.T) {
	const alphabet = "0123456789012345.....---+eE,] \x00\xfa\xff"
	r := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 12)
	taken := 0
	for range 3_000_000 {
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		if r.IntN(2) == 0 {
			b[1] = '.'
		}
		got, end := shortFloat32(b, 0)
		if end == 0 {
			continue
		}
		taken++
		s := scanner{b: b}
		text, _ := s.number()
		want, err := strconv.ParseFloat(string(b[:end]), 32)
		if err != nil || len(text) != end || math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Fatalf("%q: %v up to %d, the number is %q", b, got, end, text)
		}
	}
	if taken < 10_000 {
		t.Errorf("only %d were taken", taken)
	}
}
