package hearthv1

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth/ml"
	"hearth/storage/object"
)

type reindexFunc func(context.Context, func(object.Reindexed)) (object.Reindexed, error)

func reindex(t *testing.T, server string) (status int, body string) {
	t.Helper()
	res, err := http.Post(server+"/hearth/v1/storage:reindex", "application/json", nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		t.Error(err)
	}
	_, body, _ = strings.Cut(text.String(), "\r\n\r\n")
	return res.StatusCode, body
}

func serveReindex(t *testing.T, f reindexFunc) string {
	t.Helper()
	s := httptest.NewServer(New(Options{Reindex: f}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestReindex_Lines(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		last string
	}{
		"OK":    {nil, `{"result":{"objects":2,"added":1,"changed":0,"removed":0,"bytes":0}}`},
		"error": {ml.Errorf(ml.Unavailable, "The server is away."), `{"error":{"code":503,"message":"The server is away.","status":"UNAVAILABLE"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveReindex(t, func(_ context.Context, progress func(object.Reindexed)) (object.Reindexed, error) {
				progress(object.Reindexed{Objects: 1})
				return object.Reindexed{Objects: 2, Added: 1}, c.err
			})
			status, body := reindex(t, server)
			if status != 200 || !strings.Contains(body, `{"objects":1,`) || !strings.Contains(body, c.last) {
				t.Errorf("got %d %s, want a line of progress and %s", status, body, c.last)
			}
		})
	}
}

func TestReindex_OneAtATime(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	server := serveReindex(t, func(ctx context.Context, _ func(object.Reindexed)) (object.Reindexed, error) {
		select {
		case begun <- struct{}{}:
			<-end
			return object.Reindexed{}, nil
		case <-ctx.Done():
			return object.Reindexed{}, errors.New("nobody waits")
		}
	})
	first := make(chan int)
	go func() {
		status, _ := reindex(t, server)
		first <- status
	}()
	<-begun
	if status, body := reindex(t, server); status != 409 || !strings.Contains(body, "already") {
		t.Errorf("the second is answered %d %s, want 409", status, body)
	}
	close(end)
	if status := <-first; status != 200 {
		t.Errorf("the first is answered %d", status)
	}
	go func() { <-begun }()
	if status, _ := reindex(t, server); status != 200 {
		t.Errorf("the next is answered %d", status)
	}
}
