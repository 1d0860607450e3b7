package worker

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protowire"

	"hearth/ml"
	"hearth/serving/tensor"
	"hearth/serving/tfrecord"
)

// choosy is a model that refuses made-up inputs, as one that reads pictures does.
type choosy struct{ *doubler }

func (c choosy) Run(ctx context.Context, sig *tensor.Signature, in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	for i := range in["x"].Len() {
		if in["x"].Float(i) < 10 {
			return nil, ml.Errorf(ml.InvalidArgument, "%v is no picture", in["x"].Float(i))
		}
	}
	return c.doubler.Run(ctx, sig, in)
}

// loadRecorded loads the choosy model with such a file of warm-up requests, nil for
// none.
func loadRecorded(t *testing.T, file []byte) (*loaded, error) {
	t.Helper()
	dir := t.TempDir()
	if file != nil {
		path := filepath.Join(dir, recordedFile)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return load(t.Context(), Options{ModelDir: dir, Runs: 2, Log: zerolog.Nop(), Threads: []Threads{{InterOp: -1}, {}},
		Loader: func(context.Context, string, Threads) (Servable, error) { return choosy{newDoubler()}, nil }})
}

// predictLog is an encoded PredictionLog of a request for x.
func predictLog(x ...float32) []byte {
	field := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	var content []byte
	for _, v := range x {
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(v))
	}
	shape := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(len(x)))
	t := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(tensor.Float32))
	t = append(t, field(2, field(2, shape))...)
	t = append(t, field(4, content)...)
	request := field(2, append(field(1, []byte("x")), field(2, t)...))
	return field(6, field(1, request))
}

func TestLoad_TriesOutWithTheModelsOwnRequests(t *testing.T) {
	bare, err := loadRecorded(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	classify := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil)
	own, err := loadRecorded(t, tfrecord.Append(tfrecord.Append(nil, classify), predictLog(10, 20, 20)))
	if err != nil {
		t.Fatal(err)
	}
	sig := func(m *loaded) *tensor.Signature { return m.Signatures()["serving_default"] }
	if bare.batches[sig(bare)] != 0 || bare.cost != 0 {
		t.Errorf("without requests of its own: %s, cost %v", bare, bare.cost)
	}
	if own.batches[sig(own)] < 2 || own.cost == 0 || !strings.Contains(own.String(), "warmed up with 1 requests of its own") {
		t.Errorf("with requests of its own: %s, cost %v", own, own.cost)
	}
	if rows := own.try.rows[sig(own)]; len(rows) != 2 {
		t.Errorf("%d rows are kept of 10, 20, 20", len(rows))
	}
}

func TestLoad_SaysWhichRequestOfItsOwnAModelRefuses(t *testing.T) {
	whole := tfrecord.Append(nil, predictLog(10))
	for want, file := range map[string][]byte{
		"Request 2 of the model's assets.extra/tf_serving_warmup_requests: 3 is no picture":        tfrecord.Append(whole, predictLog(3)),
		"cannot be read: not a whole TFRecord":                                                     append(whole, 1),
		"Request 1 of the model's assets.extra/tf_serving_warmup_requests: it is no PredictionLog": tfrecord.Append(nil, []byte{0xff}),
	} {
		if _, err := loadRecorded(t, file); ml.KindOf(err) != ml.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
