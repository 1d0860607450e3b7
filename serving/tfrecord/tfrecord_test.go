package tfrecord

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func readAll(file []byte) (records []string, err error) {
	r := NewReader(bytes.NewReader(file), 1000)
	for {
		data, err := r.Next()
		if err != nil {
			return records, err
		}
		records = append(records, string(data))
	}
}

// TestReader_ReadsWhatTensorFlowWrote has a file of tf.io.TFRecordWriter with the
// records "hearth" and "".
func TestReader_ReadsWhatTensorFlowWrote(t *testing.T) {
	file, err := hex.DecodeString("06000000000000007369d53768656172746807c0807b000000000000000029039807d8ea82a2")
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(file)
	if err != io.EOF || !slices.Equal(got, []string{"hearth", ""}) {
		t.Errorf("got %q, %v", got, err)
	}
	if again := Append(Append(nil, []byte("hearth")), nil); !bytes.Equal(again, file) {
		t.Errorf("Append makes %x of it", again)
	}
}

func TestReader_SaysWhatIsWrong(t *testing.T) {
	whole := Append(Append(nil, []byte("first")), []byte("second"))
	second := len(Append(nil, []byte("first")))
	damaged := func(at int) []byte {
		b := slices.Clone(whole)
		b[at] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"ends in a length":   {whole[:second+5], "middle of a length"},
		"ends in a record":   {whole[:len(whole)-1], "middle of a record"},
		"ends behind a head": {whole[:second+12], "middle of a record"},
		"length":             {damaged(second), "checksum of the length"},
		"data":               {damaged(second + 13), "checksum of the data"},
		"too long":           {append(whole[:second:second], Append(nil, make([]byte, 1001))...), "1001 bytes; at most 1000"},
	} {
		got, err := readAll(c.file)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "byte 21") || !slices.Equal(got, []string{"first"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	var file []byte
	for range 1000 {
		file = Append(file, make([]byte, 1000))
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(file), 1<<20)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
