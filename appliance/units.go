package appliance

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const second = time.Second

// Size is a number of bytes, written as "64MiB", "2GiB" or a bare number.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	for _, u := range sizeUnits {
		num, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || n < 0 || n*float64(u.bytes) > 1<<62 {
			break
		}
		*s = Size(n * float64(u.bytes))
		return nil
	}
	return fmt.Errorf(`%q is not a size such as "64MiB"`, text)
}

// MarshalText writes the size in its largest whole unit.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range sizeUnits {
		if int64(s)%u.bytes == 0 && (s != 0 || u.bytes == 1) {
			return []byte(strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix), nil
		}
	}
	return nil, nil
}

// Duration is a length of time, written as "10s" or "1h30m".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is not a duration such as "10s"`, b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Share is a part of what the host has: a percentage, or a fixed size.
type Share struct {
	Percent float64
	Bytes   Size
}

// UnmarshalText reads "80%" or "12GiB". No share at all is "0%" or "0".
func (s *Share) UnmarshalText(b []byte) error {
	num, ok := strings.CutSuffix(strings.TrimSpace(string(b)), "%")
	if !ok {
		s.Percent = 0
		return s.Bytes.UnmarshalText(b)
	}
	p, err := strconv.ParseFloat(num, 64)
	if err != nil || p < 0 || p > 100 {
		return fmt.Errorf(`%q is not a percentage such as "80%%"`, b)
	}
	*s = Share{Percent: p}
	return nil
}

// MarshalText writes the share as it is read.
func (s Share) MarshalText() ([]byte, error) {
	if s.Percent > 0 {
		return []byte(strconv.FormatFloat(s.Percent, 'f', -1, 64) + "%"), nil
	}
	return s.Bytes.MarshalText()
}

// Of gives the share of total in bytes.
func (s Share) Of(total int64) int64 {
	if s.Percent > 0 {
		return int64(float64(total) * s.Percent / 100)
	}
	return int64(s.Bytes)
}
