package ml

import (
	"encoding/binary"
	"time"
)

// UsageSampleSize is the size of one record of usage.log, in bytes.
const UsageSampleSize = 32

// UsageSample is one record of usage.log: what a process tree had used at Time.
type UsageSample struct {
	Time time.Time
	// CPU is the processor time that the tree has used since it began.
	CPU time.Duration
	// Memory is the resident memory of its processes, in bytes.
	Memory int64
	// Disk is what its own files take, in bytes; -1 where it was not measured.
	Disk int64
}

// Append adds the record to b: four little-endian int64, times in nanoseconds.
func (s UsageSample) Append(b []byte) []byte {
	for _, v := range []int64{s.Time.UnixNano(), int64(s.CPU), s.Memory, s.Disk} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// ParseUsageSample reads the record at the start of b, which must hold at least
// UsageSampleSize bytes.
func ParseUsageSample(b []byte) UsageSample {
	v := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	return UsageSample{Time: time.Unix(0, v(0)).UTC(), CPU: time.Duration(v(1)), Memory: v(2), Disk: v(3)}
}

// GPUSampleSize is the size of one record of gpu.log, in bytes.
const GPUSampleSize = 24

// GPUSample is one record of gpu.log: what the devices of a replica were at,
// together.
type GPUSample struct {
	Time time.Time
	// Utilization is in percent, of all devices on average; -1 if unknown.
	Utilization float64
	// Memory is in bytes.
	Memory int64
}

// Append adds the record to b: three little-endian int64, the time in
// nanoseconds, thousandths of a percent, bytes.
func (s GPUSample) Append(b []byte) []byte {
	for _, v := range []int64{s.Time.UnixNano(), int64(s.Utilization * 1000), s.Memory} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// ParseGPUSample reads the record at the start of b, which must hold at least
// GPUSampleSize bytes.
func ParseGPUSample(b []byte) GPUSample {
	v := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	return GPUSample{Time: time.Unix(0, v(0)).UTC(), Utilization: float64(v(1)) / 1000, Memory: v(2)}
}

// Usage is what the replicas of a job used over time, as /hearth/v1 tells it.
type Usage struct {
	Job      string         `json:"job"`
	Replicas []ReplicaUsage `json:"replicas"`
}

// ReplicaUsage is what one replica used. All lists have one value for each of
// Seconds, which count from Start; each value speaks of the time since the one
// before.
type ReplicaUsage struct {
	Task    string    `json:"task"`
	Start   Timestamp `json:"startTime"`
	Seconds []float64 `json:"seconds"`
	// CPU is in processors: 1.5 is one and a half.
	CPU []float64 `json:"cpu"`
	// Memory and Disk are in bytes.
	Memory []int64 `json:"memory"`
	Disk   []int64 `json:"disk,omitempty"`
	// GPUUtilization is in percent, GPUMemory in bytes, of all its devices
	// together; absent where it has none.
	GPUUtilization []float64 `json:"gpuUtilization,omitempty"`
	GPUMemory      []int64   `json:"gpuMemory,omitempty"`
}
