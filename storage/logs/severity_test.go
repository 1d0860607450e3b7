package logs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"hearth/ml"
)

func TestSeverity(t *testing.T) {
	tests := []struct{ line, want string }{
		{"INFO:tensorflow:Saving checkpoints", SeverityInfo},
		{"WARNING:tensorflow:From x", SeverityWarning},
		{"ERROR:root:bad", SeverityError},
		{"CRITICAL:root:worse", SeverityCritical},
		{"DEBUG:urllib3.connectionpool:GET", SeverityDebug},
		{"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR", SeverityWarning},
		{"2026-05-06 07:08:09,123 - trainer.task - INFO - epoch 1", SeverityInfo},
		{"2026-05-06 07:08:09,123 WARNING: slow", SeverityWarning},
		{"[2026-05-06 07:08:09,123] ERROR: bad", SeverityError},
		{"[INFO] hello", SeverityInfo},
		{"I0506 07:08:09.123456 1400 task.py:12] hello", SeverityInfo},
		{"W0506 07:08:09.123456 1400 task.py:12] hello", SeverityWarning},
		{"E0000 00:00:1778050089.123456    1234 cuda.cc:1] no device", SeverityError},
		{"F0506 07:08:09.123456 1400 check.cc:1] Check failed", SeverityCritical},
		{"2026-05-06 07:08:09.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] optimized", SeverityInfo},
		{"2026-05-06 07:08:09.123456: W external/local_xla/x.cc:1] hm", SeverityWarning},
		{"2026-05-06 07:08:09.123456: E external/local_xla/x.cc:1] no", SeverityError},
		{"/usr/lib/python3/keras/saving.py:12: UserWarning: You are saving", SeverityWarning},
		{"Traceback (most recent call last):", SeverityError},
		{`  File "task.py", line 3, in <module>`, SeverityError},
		{"ValueError: INFO: not a level", SeverityError},
		{"INFORMATION", SeverityError},
		{"", SeverityError},
	}
	for _, test := range tests {
		if got := severity(streamStderr, test.line); got != test.want {
			t.Errorf("%q is %s, want %s", test.line, got, test.want)
		}
		if got := severity(streamStdout, test.line); got != SeverityInfo {
			t.Errorf("%q on stdout is %s", test.line, got)
		}
	}
}

// bytesSource is a file in memory.
type bytesSource struct{ *bytes.Reader }

func (bytesSource) Close() error { return nil }

// readLines reads everything behind start as a finished file.
func readLines(t *testing.T, b []byte, start int64) (texts []string, starts []int64) {
	t.Helper()
	src := bytesSource{bytes.NewReader(b)}
	r := newLineReader(src, start, src.Size(), true)
	for {
		pos := r.pos
		kind, err := r.read()
		if err != nil {
			t.Fatal(err)
		}
		if kind == lineNone {
			if r.pos != int64(len(b)) {
				t.Fatalf("stopped at %d of %d", r.pos, len(b))
			}
			return texts, starts
		}
		if r.pos <= pos {
			t.Fatal("no progress")
		}
		texts, starts = append(texts, r.text()), append(starts, pos)
	}
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nb\r\nc"), 0)
	f.Add([]byte("\x1b[1m1/3\x1b[0m\b\b\b2/3\r\x1b[K\x1b]0;t\x07\n\xe2\x82"), 3)
	f.Add([]byte("INFO:tensorflow:x\nTraceback (most recent call last):\n"), 70_000)
	f.Fuzz(func(t *testing.T, b []byte, pad int) {
		// Padding moves what follows over the borders of buffers and pieces.
		b = append(bytes.Repeat([]byte("p"), max(0, min(pad, 3*maxLine))), b...)
		texts, starts := readLines(t, b, 0)
		for i, text := range texts {
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxLine || strings.ContainsAny(text, "\n\r\b\x1b\x00") {
				t.Fatalf("entry %q", text)
			}
			if severity(streamStderr, text) == "" {
				t.Fatalf("no severity for %q", text)
			}
			// The slow way shows a line as the fast way does.
			if isPlain([]byte(text)) {
				var term terminal
				if n, full := term.write([]byte(text)); full || n != len(text) || term.text() != text {
					t.Fatalf("%q shows as %q", text, term.text())
				}
			}
			// Reading may begin at any entry.
			if i == len(texts)/2 {
				rest, _ := readLines(t, b, starts[i])
				if strings.Join(rest, "\n") != strings.Join(texts[i:], "\n") {
					t.Fatalf("from entry %d on: %q, want %q", i, rest, texts[i:])
				}
			}
		}
	})
}

// The tail of a file is the end of its lines.
func FuzzTail(f *testing.F) {
	f.Add([]byte("a\nb\nc"), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 1 || len(b) > maxTail {
			return
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ml.FileStderr), b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Open(filepath.Dir(dir)).Tail(filepath.Base(dir), n)
		if err != nil {
			t.Fatal(err)
		}
		texts, _ := readLines(t, b, 0)
		if want := strings.Join(texts[max(0, len(texts)-n):], "\n"); got != want {
			t.Errorf("tail is %q, want %q", got, want)
		}
	})
}
