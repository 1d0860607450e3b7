package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/serving/frame"
)

// connected gives two ends of a unix stream connection; raw is the first one's
// naked form.
func connected(t *testing.T) (raw net.Conn, a, b *frame.Conn) {
	t.Helper()
	dir := t.TempDir()
	l, err := frame.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err = frame.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close(); b.Close() })
	if a, err = frame.NewConn(raw.(*net.UnixConn)); err != nil {
		t.Fatal(err)
	}
	return raw, a, b
}

func TestConn_WriteRead(t *testing.T) {
	for name, f := range map[string]frame.Frame{
		"state":            {Kind: frame.State, Status: frame.Ready, Timeout: time.Second},
		"small":            {Kind: frame.Predict, Timeout: 3 * time.Second, Body: []byte(`{"instances":[1]}`)},
		"head and body":    {Kind: frame.Answer, Status: 200, Head: []byte("text/plain"), Body: []byte("x")},
		"one byte over":    {Kind: frame.Predict, Body: bytes.Repeat([]byte("x"), 32<<10-23)},
		"exactly a buffer": {Kind: frame.Predict, Body: bytes.Repeat([]byte("x"), 32<<10-24)},
		"large":            {Kind: frame.Answer, Status: 400, Head: []byte("h"), Body: bytes.Repeat([]byte("0123456789"), 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			_, a, b := connected(t)
			for range 2 {
				sent := make(chan error, 1)
				go func() { sent <- a.Write(f) }()
				got, err := b.Read()
				if err != nil {
					t.Fatal(err)
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				if got.Kind != f.Kind || got.Status != f.Status || got.Timeout != f.Timeout ||
					!bytes.Equal(got.Head, f.Head) || !bytes.Equal(got.Body, f.Body) {
					t.Errorf("frame %d %d %s with %d and %d bytes came out as %d %d %s with %d and %d", f.Kind, f.Status, f.Timeout,
						len(f.Head), len(f.Body), got.Kind, got.Status, got.Timeout, len(got.Head), len(got.Body))
				}
				b.Release()
			}
		})
	}
}

func TestConn_Read_Malformed(t *testing.T) {
	header := func(change func(b []byte)) []byte {
		b := make([]byte, 24)
		b[0], b[1] = 0xA1, byte(frame.Predict)
		change(b)
		return b
	}
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"nothing":         {nil, io.EOF},
		"half a header":   {header(func([]byte) {})[:11], io.ErrUnexpectedEOF},
		"half a body":     {append(header(func(b []byte) { b[8] = 9 }), "abc"...), io.ErrUnexpectedEOF},
		"no body":         {header(func(b []byte) { b[8] = 9 }), io.ErrUnexpectedEOF},
		"other magic":     {header(func(b []byte) { b[0] = 'G' }), frame.ErrMalformed},
		"no kind":         {header(func(b []byte) { b[1] = 0 }), frame.ErrMalformed},
		"unknown kind":    {header(func(b []byte) { b[1] = 200 }), frame.ErrMalformed},
		"head too large":  {header(func(b []byte) { binary.LittleEndian.PutUint32(b[4:], frame.MaxHead+1) }), frame.ErrMalformed},
		"body too large":  {header(func(b []byte) { binary.LittleEndian.PutUint32(b[8:], frame.MaxBody+1) }), frame.ErrMalformed},
		"reserved bytes":  {header(func(b []byte) { b[12] = 1 }), frame.ErrMalformed},
		"timeout below 0": {header(func(b []byte) { b[23] = 0x80 }), frame.ErrMalformed},
		"bytes behind":    {append(header(func([]byte) {}), 'x'), frame.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			raw, _, b := connected(t)
			if _, err := raw.Write(c.sent); err != nil {
				t.Fatal(err)
			}
			raw.Close()
			if _, err := b.Read(); !errors.Is(err, c.want) {
				t.Errorf("Read gave %v, want %v", err, c.want)
			}
		})
	}
}

func TestConn_Write_TooLarge(t *testing.T) {
	_, a, b := connected(t)
	err := a.Write(frame.Frame{Kind: frame.Answer, Head: make([]byte, frame.MaxHead+1)})
	if !errors.Is(err, frame.ErrTooLarge) {
		t.Errorf("Write gave %v, want %v", err, frame.ErrTooLarge)
	}
	if err := a.Write(frame.Frame{Kind: frame.Answer, Status: 7}); err != nil {
		t.Fatal(err)
	}
	if f, err := b.Read(); err != nil || f.Status != 7 {
		t.Errorf("the frame behind a refused one: %v, %v", f, err)
	}
}

func TestListen_LongFolderAndLeftBehindSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l, err := frame.Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := frame.Dial(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
}

func TestLaunch_RoundTrip(t *testing.T) {
	l := frame.Launch{Dir: "/attempts/a b/model-worker", Model: "/models/-m", TensorFlow: "/tf", Runs: 3, InFlight: 4, MaxBody: 5, Timeout: time.Minute}
	args := l.Args()
	if args[0] != frame.WorkerCommand {
		t.Errorf("the command is %q", args[0])
	}
	got, err := frame.ParseLaunch(args[1:])
	if err != nil || got != l {
		t.Errorf("ParseLaunch gave %+v, %v; want %+v", got, err, l)
	}
	for _, bad := range [][]string{nil, {"/a"}, {"--model", "m", "/a"}, {"--model", "/m", "/a", "/b"}, {"--colour", "red", "/a"}} {
		if _, err := frame.ParseLaunch(bad); err == nil {
			t.Errorf("ParseLaunch(%q) gave no error", bad)
		}
	}
}

// Answers that come at once are found by looking, later ones by sleeping, and
// a deadline ends both.
func TestConn_Read_QuickAndSlow(t *testing.T) {
	_, a, b := connected(t)
	step := make(chan struct{})
	go func() {
		for {
			f, err := b.Read()
			if err != nil {
				return
			}
			if f.Status == 1 {
				<-step
			}
			if b.Write(frame.Frame{Kind: frame.Answer, Status: f.Status}) != nil {
				return
			}
		}
	}()
	for i := range 300 {
		slow := i%100 == 99
		request := frame.Frame{Kind: frame.Predict}
		if slow {
			request.Status = 1
		}
		if err := a.Write(request); err != nil {
			t.Fatal(err)
		}
		if slow {
			time.AfterFunc(time.Millisecond, func() { step <- struct{}{} })
		}
		if f, err := a.Read(); err != nil || f.Status != request.Status {
			t.Fatalf("exchange %d: %v %v", i, f, err)
		}
	}
	if err := a.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the deadline's error", err)
	}
}
