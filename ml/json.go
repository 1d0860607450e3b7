package ml

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Int64 is an int64 in proto3's JSON form: written as a string, read from a
// string or a number.
type Int64 int64

// MarshalJSON writes the number as a string.
func (n Int64) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatInt(int64(n), 10)), nil
}

// UnmarshalJSON reads "12" or 12.
func (n *Int64) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a 64-bit integer", b)
	}
	*n = Int64(v)
	return nil
}

// timestampLayout has a fixed width: gcloud compares log timestamps as text.
const timestampLayout = "2006-01-02T15:04:05.000000000Z"

// Timestamp is a point in time in proto3's JSON form. The zero value is
// absent in JSON (use omitzero).
type Timestamp struct{ time.Time }

// At makes a Timestamp of t.
func At(t time.Time) Timestamp { return Timestamp{t.UTC()} }

// String gives RFC 3339 in UTC with nine fractional digits.
func (t Timestamp) String() string { return t.UTC().Format(timestampLayout) }

// MarshalJSON writes RFC 3339 in UTC with nine fractional digits.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, t.String()), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	v, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return fmt.Errorf("%s is not an RFC 3339 time", b)
	}
	t.Time = v.UTC()
	return nil
}

// Duration is a length of time in proto3's JSON form, such as "3.5s".
type Duration time.Duration

// MarshalJSON writes seconds with an s behind them.
func (d Duration) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(time.Duration(d).Seconds(), 'f', -1, 64)
	return strconv.AppendQuote(nil, s+"s"), nil
}

// UnmarshalJSON reads "3.5s".
func (d *Duration) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	num, ok := strings.CutSuffix(s, "s")
	sec, err := strconv.ParseFloat(num, 64)
	if !ok || err != nil || sec < -315576000000 || sec > 315576000000 {
		return fmt.Errorf(`%s is not a duration such as "3.5s"`, b)
	}
	*d = Duration(sec * float64(time.Second))
	return nil
}
