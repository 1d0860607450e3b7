package loggingv2

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"hearth/ml"
	"hearth/storage/logs"
)

// search is a request that has been understood.
type search struct {
	project, job string
	filter       *term
	query        logs.Query
	size         int
	// sum tells this search from others, for page tokens.
	sum []byte
}

func newSearch(project string, in *listRequest) (*search, error) {
	filter, err := parseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	s := &search{project: project, filter: filter, job: filter.only(fieldJob), size: int(in.PageSize)}
	if s.job == "" {
		return nil, ml.FieldErrorf("filter", `The filter must name one job: resource.labels.job_id="JOB".`)
	}
	switch {
	case s.size < 0:
		return nil, ml.FieldErrorf("pageSize", "The page size must not be negative.")
	case s.size == 0:
		s.size = defaultPageSize
	}
	s.size = min(s.size, maxPageSize)
	s.query = logs.Query{
		Project: project, Job: s.job, Task: filter.only(fieldTask, fieldResourceTask),
		From: filter.from(), Before: filter.before(), Limit: s.size,
	}
	sum := sha256.Sum256([]byte(project + "\x00" + in.Filter))
	s.sum = sum[:8]
	return s, s.goOn(in.PageToken)
}

// position is what a page token holds: the last entry that was looked at.
type position struct {
	Time time.Time `json:"t"`
	ID   string    `json:"i"`
	Sum  []byte    `json:"s"`
}

// goOn makes the search begin behind the page that the token came with.
func (s *search) goOn(token string) error {
	if token == "" {
		return nil
	}
	var p position
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || string(p.Sum) != string(s.sum) {
		return ml.FieldErrorf("pageToken", "The page token is not one of this filter's.")
	}
	s.query.From, s.query.AfterID = p.Time, p.ID
	return nil
}

// token remembers where the query has come to.
func (s *search) token() (string, error) {
	b, err := json.Marshal(position{s.query.From, s.query.AfterID, s.sum})
	return base64.RawURLEncoding.EncodeToString(b), err
}

// search collects one page. It reads until the page is full or the log at its
// end, since what is read need not match.
func (a *api) search(ctx context.Context, s *search) (listResponse, error) {
	var out listResponse
	for len(out.Entries) < s.size {
		s.query.Limit = s.size - len(out.Entries)
		found, err := a.Entries.Entries(ctx, s.query)
		if err != nil {
			return listResponse{}, err
		}
		if len(found) == 0 {
			return out, nil
		}
		for i := range found {
			if s.filter.matches(s.job, &found[i]) {
				out.Entries = append(out.Entries, s.show(&found[i]))
			}
		}
		last := &found[len(found)-1]
		s.query.From, s.query.AfterID = last.Time, last.InsertID
	}
	var err error
	out.NextPageToken, err = s.token()
	return out, err
}

func (s *search) show(e *logs.Entry) entry {
	out := entry{
		LogName: "projects/" + s.project + "/logs/" + e.Task,
		Resource: resource{Type: resourceTypes[0], Labels: map[string]string{
			"job_id": s.job, "project_id": s.project, "task_name": e.Task,
		}},
		Timestamp:   ml.At(e.Time),
		Severity:    e.Severity,
		InsertID:    e.InsertID,
		Labels:      map[string]string{"ml.googleapis.com/job_id": s.job, "ml.googleapis.com/task_name": e.Task},
		JSONPayload: e.Payload,
	}
	if e.Payload == nil {
		out.TextPayload = &e.Message
	}
	return out
}
