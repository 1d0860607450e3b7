package process

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth/ml"
)

func readMarks(t *testing.T, s *Supervisor) []ml.LogMark {
	t.Helper()
	b := []byte(read(t, filepath.Join(s.Folder(testID), ml.FileLogIndex)))
	if len(b)%ml.LogMarkSize != 0 {
		t.Fatalf("log.idx has %d bytes", len(b))
	}
	var marks []ml.LogMark
	for ; len(b) > 0; b = b[ml.LogMarkSize:] {
		marks = append(marks, ml.ParseLogMark(b))
	}
	return marks
}

// checkMarks checks that marks never go back, keep their distance and end with
// all of the logs.
func checkMarks(t *testing.T, s *Supervisor, marks []ml.LogMark) {
	t.Helper()
	if len(marks) == 0 {
		t.Fatal("no marks")
	}
	for i := 1; i < len(marks); i++ {
		a, b := marks[i-1], marks[i]
		if b.Time.Before(a.Time) || b.Stdout < a.Stdout || b.Stderr < a.Stderr {
			t.Errorf("%+v and then %+v", a, b)
		}
		if i < len(marks)-1 && b.Time.Sub(a.Time) < markSpacing {
			t.Errorf("%v between marks", b.Time.Sub(a.Time))
		}
	}
	last := marks[len(marks)-1]
	for name, got := range map[string]int64{ml.FileStdout: last.Stdout, ml.FileStderr: last.Stderr} {
		info, err := os.Stat(filepath.Join(s.Folder(testID), name))
		if err != nil {
			t.Fatal(err)
		}
		if got != info.Size() {
			t.Errorf("%s has %d bytes, the last mark says %d", name, info.Size(), got)
		}
	}
}

func TestMarker(t *testing.T) {
	t.Run("LinesHaveTheirTimes", func(t *testing.T) {
		s := open(t, "none")
		run(t, s, shell("echo one; sleep 0.15; echo two >&2; sleep 0.15; printf three"))
		marks := readMarks(t, s)
		checkMarks(t, s, marks)
		at := func(stdout, stderr int64) time.Time {
			for _, m := range marks {
				if m.Stdout >= stdout && m.Stderr >= stderr {
					return m.Time
				}
			}
			t.Fatalf("no mark of %d, %d in %+v", stdout, stderr, marks)
			return time.Time{}
		}
		one, two, three := at(4, 0), at(0, 4), at(9, 0)
		for _, d := range []time.Duration{two.Sub(one), three.Sub(two)} {
			if d < 100*time.Millisecond || d > time.Second {
				t.Errorf("%v between lines that were written 150 ms apart", d)
			}
		}
	})
	t.Run("Flood", func(t *testing.T) {
		inModes(t, func(t *testing.T, s *Supervisor) {
			start(t, s, shell("head -c 64m /dev/zero; for i in 1 2 3 4 5 6 7 8; do head -c 512k /dev/zero | tr '\\0' '\\n' >&2; done"))
			exit := wait(t, s)
			marks := readMarks(t, s)
			checkMarks(t, s, marks)
			if last := marks[len(marks)-1]; last.Stdout != 64<<20 || last.Stderr != 4<<20 || exit.Code != 0 {
				t.Errorf("exit %+v, last mark %+v", exit, last)
			}
		})
	})
	t.Run("GoesOnAfterATornRecord", func(t *testing.T) {
		dir := t.TempDir()
		first := ml.LogMark{Time: time.Now().Add(time.Hour), Stdout: 0, Stderr: 0}
		if err := os.WriteFile(filepath.Join(dir, ml.FileLogIndex), append(first.Append(nil), 1, 2, 3), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := appendLastMark(dir); err != nil {
			t.Fatal(err)
		}
		b := []byte(read(t, filepath.Join(dir, ml.FileLogIndex)))
		if len(b) != 2*ml.LogMarkSize {
			t.Fatalf("log.idx has %d bytes", len(b))
		}
		if second := ml.ParseLogMark(b[ml.LogMarkSize:]); second.Time.Before(first.Time.Truncate(0)) {
			t.Errorf("%+v and then %+v", first, second)
		}
	})
}
