package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Kind says what a frame is.
type Kind uint8

// The kinds of frames. State and Predict are asked; a State is answered by a
// State, a Predict by an Answer or an Error.
const (
	// State asks how far the worker is, and waits at most Timeout for it to be
	// done with loading. The answer has one of the worker's states as Status
	// and a sentence about it as Body: how the model is run, or why it is not; of a
	// worker that is Ready, Head is its [Tuning].
	State Kind = 1 + iota
	// Predict asks for a prediction in the dialect of the [Method] that is its
	// Status; Body is the request as the client sent it.
	Predict
	// Answer has an HTTP status as Status, the content type as Head (none means
	// application/json), behind it perhaps a newline and the value of Server-Timing,
	// and what goes to the client as Body.
	Answer
	// Error has a google.rpc.Code as Status and its message as Body.
	Error
	// Metrics asks what the worker has done, and is answered by a Metrics whose Body
	// is the JSON of [Stats].
	Metrics
)

// Frame is one message. What Head and Body mean depends on the Kind.
type Frame struct {
	Kind   Kind
	Status int
	// Timeout is how long the sender will wait for the answer, zero if for ever.
	// It is a length of time, not a point in time, so that a clock being set
	// does no harm.
	Timeout time.Duration
	Head    []byte
	Body    []byte
}

// Bounds of a frame's parts, in bytes.
const (
	MaxHead = 4 << 10
	MaxBody = 1 << 30
)

// headerSize is the size of what is in front of head and body:
//
//	0  magic    1 byte
//	1  kind     1 byte
//	2  status   2 bytes, little endian like all that follow
//	4  head     4 bytes, its length
//	8  body     4 bytes, its length
//	12 reserved 4 bytes, zero
//	16 timeout  8 bytes, nanoseconds
const headerSize = 24

// magic is the first byte of each frame; it changes with the layout.
const magic = 0xA1

// ErrMalformed says that what came in is no frame.
var ErrMalformed = errors.New("malformed frame")

// ErrTooLarge says that a frame is beyond the bounds; nothing was written.
var ErrTooLarge = errors.New("frame is too large")

func appendHeader(b []byte, f *Frame) []byte {
	b = append(b, magic, byte(f.Kind))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.Status))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Head)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Body)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint64(b, uint64(f.Timeout))
}

// parseHeader reads the header at the start of b into f and gives the lengths
// of head and body. It trusts nothing.
func parseHeader(b []byte, f *Frame) (head, body int, err error) {
	if b[0] != magic {
		return 0, 0, fmt.Errorf("%w: it starts with %#x", ErrMalformed, b[0])
	}
	f.Kind = Kind(b[1])
	if f.Kind < State || f.Kind > Metrics {
		return 0, 0, fmt.Errorf("%w: kind %d", ErrMalformed, f.Kind)
	}
	f.Status = int(binary.LittleEndian.Uint16(b[2:]))
	h, n := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if h > MaxHead || n > MaxBody {
		return 0, 0, fmt.Errorf("%w: a head of %d and a body of %d bytes", ErrMalformed, h, n)
	}
	if binary.LittleEndian.Uint32(b[12:]) != 0 {
		return 0, 0, fmt.Errorf("%w: reserved bytes are in use", ErrMalformed)
	}
	f.Timeout = time.Duration(binary.LittleEndian.Uint64(b[16:]))
	if f.Timeout < 0 {
		return 0, 0, fmt.Errorf("%w: a timeout of %s", ErrMalformed, f.Timeout)
	}
	return int(h), int(n), nil
}
