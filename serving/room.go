package serving

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What a worker holds besides its model before anything is known of it, and how many
// times the size of its files a model takes, in bytes.
const (
	workerMemory = 256 << 20
	modelMemory  = 2
)

// memoryOf gives the memory of a process in bytes that nothing else could use: not
// the files that it maps. 0 if it is gone.
func memoryOf(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var sum int64
	for line := range strings.Lines(string(b)) {
		for _, name := range []string{"RssAnon:", "RssShmem:", "VmSwap:"} {
			var kib int64
			if rest, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscan(rest, &kib); err == nil {
					sum += kib << 10
				}
			}
		}
	}
	return sum
}

// need is how much memory another worker of the version is expected to take.
func (k *keeper) need() int64 {
	if known := k.known().memory; known > 0 {
		return known
	}
	var files int64
	_ = filepath.WalkDir(k.dir(), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what is missing is told when it is loaded
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files += info.Size()
		}
		return nil
	})
	return workerMemory + modelMemory*files
}

// reserve sees to it that there is memory for a worker that is about to start: it has
// versions on demand unloaded, those first that were used longest ago, until there is.
// Where that is not enough the worker starts all the same: the estimate may be wrong.
func (r *replica) reserve(ctx context.Context) error {
	if r.m.o.FreeMemory == nil {
		return nil
	}
	r.vacate()
	need := r.need()
	others := func(p *pool) bool { return p != r.pool }
	for {
		free, ok, err := r.m.promise(need)
		if err != nil {
			return err
		}
		if ok {
			r.reserved = need
			return nil
		}
		r.log.Info().Int64("need_bytes", need).Int64("free_bytes", free).Msg("memory is short: versions that are loaded on demand make room")
		if !r.m.unloadOldest(ctx, others) {
			r.log.Warn().Int64("need_bytes", need).Int64("free_bytes", free).Msg("memory is short, and nothing can be unloaded")
			return ctx.Err()
		}
	}
}

// promise keeps so many bytes for a worker that is about to start, if they are free.
func (m *Manager) promise(need int64) (free int64, ok bool, err error) {
	m.room.Lock()
	defer m.room.Unlock()
	free, err = m.o.FreeMemory()
	if err != nil {
		return 0, false, err
	}
	free -= m.promised
	if free < need {
		return free, false, nil
	}
	m.promised += need
	return free, true, nil
}

// vacate ends the promise: what was taken is not free any more.
func (r *replica) vacate() {
	r.m.room.Lock()
	defer r.m.room.Unlock()
	r.m.promised -= r.reserved
	r.reserved = 0
}
