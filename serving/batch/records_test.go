package batch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"hearth/ml"
	"hearth/serving/tfrecord"
)

// serve makes an engine whose bucket holds objects. Each download is cut off after
// some bytes, if that is not 0.
func serve(t *testing.T, format string, cutOff int64, objects map[string]string) *engine {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := objects[path.Base(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(&cut{w, cutOff}, r, "", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(server.Close)
	b, err := newBucket(server.URL, 4)
	if err != nil {
		t.Fatal(err)
	}
	return &engine{bucket: b, task: ml.PredictionTask{ShardBytes: 100, Input: ml.PredictionInput{DataFormat: format}}}
}

// cut is an answer that breaks off.
type cut struct {
	http.ResponseWriter
	left int64
}

func (c *cut) Write(p []byte) (int, error) {
	if c.left == 0 {
		return c.ResponseWriter.Write(p)
	}
	n := min(c.left, int64(len(p)))
	if _, err := c.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	if c.left -= n; c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return int(n), nil
}

// read gives the records of a file as its shards have them, and what is wrong.
func (e *engine) readAll(t *testing.T, content string) (records, bad []string) {
	t.Helper()
	p := &plan{Inputs: []input{{Bucket: "b", Name: "in", Size: int64(len(content))}}}
	if err := e.cut(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Shards {
		src, err := e.openShard(context.Background(), p.Inputs[0], s)
		if err != nil {
			t.Fatal(err)
		}
		for {
			record, at, err := src.next(nil)
			var wrong *badRecord
			switch {
			case errors.As(err, &wrong):
				bad = append(bad, fmt.Sprintf("%d: %s", at, wrong.reason))
				continue
			case err == io.EOF:
			case err != nil:
				t.Fatal(err)
			default:
				records = append(records, string(record))
				if e.task.Input.DataFormat == ml.FormatJSON && !strings.HasPrefix(content[at:], string(record)) {
					t.Fatalf("a line at byte %d is not there", at)
				}
				continue
			}
			break
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return records, bad
}

func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// However a file is cut, and however often the connection breaks, each line is in
// one shard.
func TestLines_Split(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var text strings.Builder
		var want []string
		for range random.IntN(60) {
			line := strings.Repeat("x", random.IntN(40)*random.IntN(12))
			text.WriteString(line + "\n")
			if line != "" {
				want = append(want, line)
			}
		}
		content := text.String()
		if random.IntN(2) == 0 {
			content = strings.TrimSuffix(content, "\n")
		}
		e := serve(t, ml.FormatJSON, int64(random.IntN(2)*(800+random.IntN(2000))), map[string]string{"in": content})
		got, bad := e.readAll(t, content)
		if strings.Join(got, "|") != strings.Join(want, "|") || bad != nil {
			t.Fatalf("of %q: %q, %v", content, got, bad)
		}
	}
}

func TestRecords_Split(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		var file []byte
		var want []string
		for range random.IntN(60) {
			record := strings.Repeat("r", random.IntN(30)*random.IntN(20))
			file, want = tfrecord.Append(file, []byte(record)), append(want, record)
		}
		e := serve(t, ml.FormatTFRecord, int64(random.IntN(2)*(800+random.IntN(2000))), map[string]string{"in": string(file)})
		got, bad := e.readAll(t, string(file))
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) || bad != nil {
			t.Fatalf("got %d records, %v; want %d", len(got), bad, len(want))
		}
	}
}

func TestRecords_Damaged(t *testing.T) {
	three := string(tfrecord.Append(tfrecord.Append(tfrecord.Append(nil, []byte("one")), []byte("two")), []byte("three")))
	flipped := []byte(three)
	flipped[19+12]++ // in the data of the second
	lines := zip("1\n2\n3\n")
	for name, c := range map[string]struct{ format, content, records, bad string }{
		"whole":             {ml.FormatTFRecord, three, "one two three", ""},
		"cut off":           {ml.FormatTFRecord, three[:len(three)-3], "one two", "38: not a whole TFRecord: it ends in the middle of a record"},
		"cut off in a head": {ml.FormatTFRecord, three[:38+5], "one two", "38: not a whole TFRecord: it ends in the middle of a length"},
		"checksum":          {ml.FormatTFRecord, string(flipped), "one", "19: not a whole TFRecord: the checksum of the data is wrong"},
		"gzip":              {ml.FormatTFRecordGzip, zip(three), "one two three", ""},
		"gzip cut off":      {ml.FormatTFRecordGzip, zip(three)[:20], "", "0: "},
		"gzip lines":        {ml.FormatJSON + " ", lines, "1 2 3", ""},
		"gzip lines cut":    {ml.FormatJSON + " ", lines[:len(lines)-4], "1 2 3", "6: the gzip file is damaged: unexpected EOF"},
		"no gzip":           {ml.FormatJSON + " ", "\x1f\x8b1", "", "0: the gzip file is damaged: unexpected EOF"},
		"empty":             {ml.FormatJSON, "", "", ""},
		"no records":        {ml.FormatTFRecord, "", "", ""},
		"not records":       {ml.FormatTFRecord, "these are no records", "", "0: not a whole TFRecord: the checksum of the length is wrong"},
		"CRLF":              {ml.FormatJSON + " ", "1\r\n\r\n2\r\n3", "1 2 3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, c.format, 0, map[string]string{"in": c.content})
			got, bad := e.readAll(t, c.content)
			if strings.Join(got, " ") != c.records || !strings.HasPrefix(strings.Join(bad, ","), c.bad) || (c.bad == "") != (bad == nil) {
				t.Errorf("got %q, %q", got, bad)
			}
		})
	}
}

func TestLines_TooLong(t *testing.T) {
	long := strings.Repeat("9", maxRecord)
	content := "1\n" + long + "\n" + long + "9\n2\n"
	e := serve(t, ml.FormatJSON+" ", 0, map[string]string{"in": content})
	e.task.ShardBytes = 40 << 20
	got, bad := e.readAll(t, content)
	if len(got) != 3 || got[1] != long || got[2] != "2" || len(bad) != 1 {
		t.Errorf("%d lines, %v", len(got), bad)
	}
}
