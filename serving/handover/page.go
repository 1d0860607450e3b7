package handover

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// State is how far a lent connection is.
type State uint32

const (
	// Idle: the last request is answered and nothing of the next one was read.
	Idle State = iota
	// Reading: parts of a request have been read, or may have been.
	Reading
	// Running: a whole request has been read and nothing of its answer written.
	Running
	// Answering: the answer may have been written, or a part of it.
	Answering
)

// The page is an array of 32-bit words: the epoch, the time of the last request,
// then five per connection: its state, how many bytes of answers the worker has
// written on it, how many it will be with the answer under way, and the Body of the
// request that runs.
const (
	wordEpoch = 0
	wordUsed  = 1
	firstSeat = 2

	wordState   = 0
	wordWritten = 1
	wordWanted  = 2
	wordSum     = 3
	wordSize    = 4
	seatWords   = 5

	pageSize = 512 << 10
	maxSeats = (pageSize/4 - firstSeat) / seatWords
)

// page is memory that daemon and worker share.
type page struct {
	words []uint32
	file  *os.File // nil at the worker's end
}

// newPage makes a page at the daemon's end.
func newPage() (*page, error) {
	fd, err := unix.MemfdCreate("hearth-handover", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make shared memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "hearth-handover")
	if err := file.Truncate(pageSize); err != nil {
		file.Close()
		return nil, fmt.Errorf("make shared memory: %w", err)
	}
	p, err := mapPage(fd)
	if err != nil {
		file.Close()
		return nil, err
	}
	p.file = file
	return p, nil
}

func mapPage(fd int) (*page, error) {
	b, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	return &page{words: unsafe.Slice((*uint32)(unsafe.Pointer(&b[0])), pageSize/4)}, nil
}

func (p *page) unmap() {
	// It was mapped with this very length.
	_ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&p.words[0])), pageSize))
}

func (p *page) epoch() uint32       { return atomic.LoadUint32(&p.words[wordEpoch]) }
func (p *page) nextEpoch()          { atomic.AddUint32(&p.words[wordEpoch], 1) }
func (p *page) used() uint32        { return atomic.LoadUint32(&p.words[wordUsed]) }
func (p *page) setUsed(unix uint32) { atomic.StoreUint32(&p.words[wordUsed], unix) }

func (p *page) load(slot uint32, word int) uint32 {
	return atomic.LoadUint32(&p.words[firstSeat+int(slot)*seatWords+word])
}

func (p *page) store(slot uint32, word int, v uint32) {
	atomic.StoreUint32(&p.words[firstSeat+int(slot)*seatWords+word], v)
}

func (p *page) state(slot uint32) State       { return State(p.load(slot, wordState)) }
func (p *page) setState(slot uint32, s State) { p.store(slot, wordState, uint32(s)) }
