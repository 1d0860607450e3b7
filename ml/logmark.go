package ml

import (
	"encoding/binary"
	"time"
)

// LogMarkSize is the size of one record of log.idx, in bytes.
const LogMarkSize = 24

// LogMark is one record of log.idx: at Time the two log files had these sizes,
// in bytes. A line that ends at offset o was complete at the first mark whose
// size is at least o. That is how lines get their times although the trainer
// writes straight into a file.
type LogMark struct {
	Time           time.Time
	Stdout, Stderr int64
}

// Append adds the record to b: three little-endian int64, the time in
// nanoseconds since 1970.
func (m LogMark) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Time.UnixNano()))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Stdout))
	return binary.LittleEndian.AppendUint64(b, uint64(m.Stderr))
}

// ParseLogMark reads the record at the start of b, which must hold at least
// LogMarkSize bytes.
func ParseLogMark(b []byte) LogMark {
	return LogMark{
		Time:   time.Unix(0, int64(binary.LittleEndian.Uint64(b))).UTC(),
		Stdout: int64(binary.LittleEndian.Uint64(b[8:])),
		Stderr: int64(binary.LittleEndian.Uint64(b[16:])),
	}
}
