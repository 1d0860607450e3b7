package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// How often the sizes of the log files are noted: at most, and where the
// kernel does not tell of writes. With every 100,000 marks it becomes rarer, or
// the index of a talkative job would outgrow its log.
const (
	markSpacing  = 5 * time.Millisecond
	markPolling  = 50 * time.Millisecond
	rareSpacing  = 100 * time.Millisecond
	marksAtFirst = 100_000
)

// marker notes in log.idx when the log files grow. The child writes straight
// into them and is not slowed down: any number of writes between two marks
// costs one look at the sizes.
type marker struct {
	stdout, stderr, index *os.File
	events                *os.File // inotify; nil where there is none to be had
	last                  ml.LogMark
	quota                 logQuota
	stop, stopped         chan struct{}

	dir     string
	deleted chan struct{} // closed when dir is no more
}

// openMarker opens the log files of dir for the child and begins to watch.
func openMarker(dir string) (*marker, error) {
	m := &marker{dir: dir, stop: make(chan struct{}), stopped: make(chan struct{}), deleted: make(chan struct{})}
	for name, f := range map[string]**os.File{ml.FileStdout: &m.stdout, ml.FileStderr: &m.stderr, ml.FileLogIndex: &m.index} {
		var err error
		if *f, err = openLog(dir, name); err != nil {
			return nil, err
		}
	}
	if err := m.resume(); err != nil {
		return nil, err
	}
	// Users run out of inotify instances (128 by default) before anything else.
	if fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
		_, errOut := unix.InotifyAddWatch(fd, m.stdout.Name(), unix.IN_MODIFY)
		_, errErr := unix.InotifyAddWatch(fd, m.stderr.Name(), unix.IN_MODIFY)
		// Our open files keep the folder itself from ever being deleted in full;
		// the one above it sees the name go.
		_, errDir := unix.InotifyAddWatch(fd, filepath.Dir(dir), unix.IN_DELETE)
		m.events = os.NewFile(uintptr(fd), "inotify")
		if errOut != nil || errErr != nil || errDir != nil {
			m.events.Close()
			m.events = nil
		}
	}
	return m, nil
}

func openLog(dir, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
}

// resume goes on after the last whole record of an index that another process
// has begun.
func (m *marker) resume() error {
	whole := size(m.index) / ml.LogMarkSize * ml.LogMarkSize
	if whole != size(m.index) {
		if err := m.index.Truncate(whole); err != nil {
			return err
		}
	}
	if whole == 0 {
		return nil
	}
	var record [ml.LogMarkSize]byte
	if _, err := m.index.ReadAt(record[:], whole-ml.LogMarkSize); err != nil {
		return err
	}
	m.last = ml.ParseLogMark(record[:])
	return nil
}

// run notes marks until finish is called or the folder is gone.
func (m *marker) run() {
	defer close(m.stopped)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		spacing := m.spacing()
		if m.events == nil {
			spacing = markPolling
		} else if !m.await() {
			return
		}
		before := m.last
		m.note(false)
		m.quota.keep(m)
		if m.last == before { // then what woke us?
			if _, err := os.Lstat(m.dir); errors.Is(err, fs.ErrNotExist) {
				close(m.deleted)
				return
			}
		}
		pause.Reset(spacing)
		select {
		case <-m.stop:
			return
		case <-pause.C:
		}
	}
}

// spacing is the time to the next mark at least.
func (m *marker) spacing() time.Duration {
	n := size(m.index) / ml.LogMarkSize
	return min(rareSpacing, markSpacing*time.Duration(1+n/marksAtFirst))
}

// await blocks until something happens; false means that it is over. What has
// piled up is taken in one go, and the kernel drops what is too much.
func (m *marker) await() bool {
	buf := make([]byte, 4<<10)
	_, err := m.events.Read(buf)
	return err == nil
}

// note appends a mark if the sizes have changed, or if it must.
func (m *marker) note(always bool) error {
	mark := ml.LogMark{Stdout: size(m.stdout), Stderr: size(m.stderr)}
	if !always && mark.Stdout == m.last.Stdout && mark.Stderr == m.last.Stderr {
		return nil
	}
	// The time comes after the sizes, or a line could be older than its mark
	// says; and the wall clock may step back, times in the index do not.
	mark.Time = time.Now()
	if mark.Time.Before(m.last.Time) {
		mark.Time = m.last.Time
	}
	m.last = mark
	_, err := m.index.Write(mark.Append(nil))
	return err
}

// finish stops run, appends the last mark and keeps the quota for the last time.
// The child has ended. It leaves the inotify file open: the kernel needs 20 ms
// to close one.
func (m *marker) finish() error {
	close(m.stop)
	if m.events != nil {
		m.events.SetReadDeadline(time.Unix(1, 0))
	}
	<-m.stopped
	err := m.note(true)
	m.quota.keep(m) // what came after run's last look
	return err
}

// appendLastMark ends the index of a process whose own marker is dead.
func appendLastMark(dir string) error {
	m, err := openMarker(dir)
	if err != nil {
		return err
	}
	err = m.note(true)
	for _, f := range []*os.File{m.stdout, m.stderr, m.index, m.events} {
		if f != nil {
			f.Close()
		}
	}
	return err
}

func size(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}
