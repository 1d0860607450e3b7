package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hearth/serving/frame"
)

// VersionStats is what a worker of a version has done.
type VersionStats struct {
	Project, Model, Version string
	Replica                 int
	// Connections is how many connections of clients the worker has been lent.
	Connections int
	// Memory is what the worker holds, in bytes.
	Memory int64
	frame.Stats
}

// statsTime is how long one worker may take to tell.
const statsTime = time.Second

// Stats asks every worker that answers. What a worker did before it
// was started again is not in there. A worker that does not tell is left out.
func (m *Manager) Stats(ctx context.Context) []VersionStats {
	m.mu.Lock()
	pools := make(map[key]*pool, len(m.pools))
	for k, p := range m.pools {
		pools[k] = p
	}
	m.mu.Unlock()
	var all []VersionStats
	for k, p := range pools {
		for _, w := range p.workers() {
			s, err := askStats(ctx, w.folder)
			if err != nil {
				m.o.Log.Debug().Err(err).Str("version", k.String()).Msg("a worker does not tell what it has done")
				continue
			}
			all = append(all, VersionStats{Project: k.project, Model: k.model, Version: k.version, Replica: w.replica,
				Connections: w.lent, Memory: memoryOf(w.pid), Stats: s})
		}
	}
	return all
}

// workerInfo tells where a worker is that answers.
type workerInfo struct {
	replica, pid, lent int
	folder             string
}

func (p *pool) workers() (all []workerInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		all = append(all, workerInfo{m.replica, m.pid, m.lent(), m.folder})
	}
	return all
}

func askStats(ctx context.Context, folder string) (s frame.Stats, err error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	c, err := frame.Dial(ctx, folder)
	if err != nil {
		return s, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(statsTime)); err != nil {
		return s, err
	}
	if err := c.Write(frame.Frame{Kind: frame.Metrics}); err != nil {
		return s, err
	}
	f, err := c.Read()
	if err != nil {
		return s, err
	}
	if f.Kind != frame.Metrics {
		return s, fmt.Errorf("an answer of kind %d", f.Kind)
	}
	return s, json.Unmarshal(f.Body, &s)
}
