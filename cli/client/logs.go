package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hearth/ml"
)

// LogEntry is one entry of a job's log.
type LogEntry struct {
	Timestamp ml.Timestamp
	Severity  string
	Task      string
	Message   string
}

// wireEntry is what entries:list answers with, as far as it is read here.
type wireEntry struct {
	Timestamp   ml.Timestamp `json:"timestamp"`
	InsertID    string       `json:"insertId"`
	Severity    string       `json:"severity"`
	TextPayload string       `json:"textPayload"`
	JSONPayload struct {
		Message string `json:"message"`
	} `json:"jsonPayload"`
	Resource struct {
		Labels map[string]string `json:"labels"`
	} `json:"resource"`
	Labels map[string]string `json:"labels"`
}

func (w wireEntry) entry() LogEntry {
	e := LogEntry{Timestamp: w.Timestamp, Severity: w.Severity, Message: w.JSONPayload.Message}
	if e.Message == "" {
		e.Message = w.TextPayload
	}
	if e.Severity == "" {
		e.Severity = "DEFAULT"
	}
	for _, task := range []string{w.Resource.Labels["task_name"], w.Labels["task_name"], w.Labels["ml.googleapis.com/task_name"]} {
		if e.Task == "" {
			e.Task = task
		}
	}
	return e
}

// Follow says which log to follow, and how.
type Follow struct {
	Job string
	// Task is empty for all tasks.
	Task string
	// Interval is the longest pause between two questions.
	Interval time.Duration
}

// settle is how long after a job was seen to have ended its last lines may
// still become visible: the server holds back the newest instant so that it
// never has to put a line in front of one it has already given.
const settle = 300 * time.Millisecond

// firstPause is the shortest pause between two questions.
const firstPause = 50 * time.Millisecond

// FollowLogs hands each entry of a job's log to emit, in order, until the job
// has ended and nothing more can come. It gives the job as it ended.
func (c *Client) FollowLogs(ctx context.Context, f Follow, emit func(LogEntry) error) (*ml.Job, error) {
	job, err := c.Job(ctx, f.Job)
	if err != nil {
		return nil, err
	}
	lower := `timestamp>="1970-01-01T01:00:00.000000000Z"`
	var ended time.Time // when the job was first seen to have ended
	for pause := firstPause; ; {
		last := !ended.IsZero() && time.Since(ended) > settle
		entries, err := c.entries(ctx, f, lower)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := emit(e.entry()); err != nil {
				return nil, err
			}
		}
		if n := len(entries); n > 0 {
			t := entries[n-1].Timestamp
			lower = fmt.Sprintf(`((timestamp="%s" AND insertId>"%s") OR timestamp>"%s")`, t, entries[n-1].InsertID, t)
			pause = firstPause
			continue
		}
		if last {
			return job, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, max(f.Interval, firstPause))
		if job, err = c.Job(ctx, f.Job); err != nil {
			return nil, err
		}
		if job.State.Final() && ended.IsZero() {
			ended, pause = time.Now(), firstPause
		}
	}
}

// entries gives the next page of a job's log from a lower bound on.
func (c *Client) entries(ctx context.Context, f Follow, lower string) ([]wireEntry, error) {
	filter := []string{
		`(resource.type="ml_job" OR resource.type="cloudml_job")`,
		fmt.Sprintf(`resource.labels.job_id="%s"`, f.Job),
	}
	if f.Task != "" {
		filter = append(filter, fmt.Sprintf(`(resource.labels.task_name="%s" OR labels.task_name="%s")`, f.Task, f.Task))
	}
	in := map[string]any{
		"resourceNames": []string{"projects/" + c.project},
		"filter":        strings.Join(append(filter, lower), " AND "),
		"orderBy":       "timestamp asc",
		"pageSize":      1000,
	}
	var out struct {
		Entries []wireEntry `json:"entries"`
	}
	err := c.call(ctx, http.MethodPost, "/v2/entries:list", in, &out)
	return out.Entries, err
}
