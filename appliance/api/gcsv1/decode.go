package gcsv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"hearth/ml"
)

// maxJSON bounds the JSON of a request, in bytes.
const maxJSON = 1 << 20

// decodeJSON reads a request's JSON; an empty body leaves dst as it is.
func decodeJSON(r io.Reader, dst any) error {
	b, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return err
	}
	if len(b) > maxJSON {
		return ml.Errorf(ml.InvalidArgument, "The JSON of the request has more than %d bytes.", maxJSON)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	if json.Valid(b) {
		err = json.Unmarshal(b, dst)
	} else {
		err = json.Unmarshal(doubleQuotes(b), dst)
	}
	if err != nil {
		return &ml.Error{Kind: ml.InvalidArgument, Message: "Parse Error", Err: errors.Join(parseError, err)}
	}
	return nil
}

// doubleQuotes turns JSON that is written with single quotes, as TensorFlow
// does where it composes objects, into JSON. Nothing is escaped there, so a
// quote ends a string only where the JSON could go on after it.
func doubleQuotes(b []byte) []byte {
	out := make([]byte, 0, len(b)+8)
	for i := 0; i < len(b); i++ {
		if b[i] != '\'' {
			out = append(out, b[i])
			continue
		}
		end := i + 1
		for end < len(b) && (b[end] != '\'' || !endsString(b[end+1:])) {
			end++
		}
		if end == len(b) {
			return b
		}
		q, err := json.Marshal(string(b[i+1 : end]))
		if err != nil {
			return b
		}
		out = append(out, q...)
		i = end
	}
	return out
}

// endsString reports whether rest may follow a string.
func endsString(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) == 0 || strings.IndexByte(",:]}", rest[0]) >= 0
}
