package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// hearth runs a command line against a server that answers by method and path,
// and gives what it printed and the bodies that it sent.
func hearth(t *testing.T, answers map[string]string, args ...string) (stdout, stderr string, sent map[string]string, status int) {
	t.Helper()
	sent = map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + r.URL.Path
		answer, ok := answers[call]
		if !ok {
			t.Errorf("asked for %s", call)
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent[call] = string(body)
		io.WriteString(w, answer)
	}))
	defer server.Close()
	var out, errOut bytes.Buffer
	err := run(t.Context(), append([]string{"hearth", "--endpoint", server.URL}, args...), newApp(strings.NewReader(""), &out, &errOut))
	status = report(&errOut, err)
	return out.String(), errOut.String(), sent, status
}

func TestJobsDescribe_Lineage(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	answers := map[string]string{
		"GET /v1/projects/hearth/jobs/j": `{"jobId":"j","state":"SUCCEEDED"}`,
		"GET /hearth/v1/projects/hearth/jobs/j/lineage": `{
			"reads":[{"bucket":"b","name":"data.csv","generation":"12","bytes":"34","time":"2026-01-01T00:00:00Z"}],
			"writes":[{"bucket":"b","name":"out","generation":"56","bytes":"7","time":"2026-01-01T00:00:01Z"}]}`,
	}
	table, _, _, _ := hearth(t, answers, "jobs", "describe", "j", "--lineage", "--format", "table")
	if want := "DIRECTION  OBJECT           GENERATION  BYTES\nREAD       gs://b/data.csv  12          34\nWRITE      gs://b/out       56          7\n"; table != want {
		t.Errorf("got\n%swant\n%s", table, want)
	}
	yaml, _, _, _ := hearth(t, answers, "jobs", "describe", "j", "--lineage")
	for _, want := range []string{"jobId: j\n", "lineage:\n  reads:\n", `    generation: "12"`, "  writes:\n"} {
		if !strings.Contains(yaml, want) {
			t.Errorf("%q is not in\n%s", want, yaml)
		}
	}
	delete(answers, "GET /hearth/v1/projects/hearth/jobs/j/lineage")
	if plain, _, _, status := hearth(t, answers, "jobs", "describe", "j"); strings.Contains(plain, "lineage") || status != exitOK {
		t.Errorf("without the flag: %d\n%s", status, plain)
	}
}

func TestStorageReindex_SaysWhatItDid(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	answer := `{"objects":1,"added":0,"changed":0,"removed":0,"bytes":0}` + "\n" + `{"result":{"objects":5,"added":1,"changed":2,"removed":3,"bytes":2048}}`
	out, said, _, status := hearth(t, map[string]string{"POST /hearth/v1/storage:reindex": answer}, "storage", "reindex")
	if want := "Looked at 5 objects and read 2.0 KiB: 1 added, 2 changed, 3 removed.\n"; said != want || out != "" || status != exitOK {
		t.Errorf("%d: %q and %q, want %q", status, out, said, want)
	}
	failed := `{"error":{"code":503,"status":"UNAVAILABLE","message":"no store"}}`
	if _, said, _, status := hearth(t, map[string]string{"POST /hearth/v1/storage:reindex": failed}, "storage", "reindex"); status != exitFailed || !strings.Contains(said, "no store") {
		t.Errorf("%d: %q", status, said)
	}
}

func TestBucketsUpdate_SendsWhatChanges(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	answers := map[string]string{
		"GET /storage/v1/b/b":   `{"name":"b","labels":{"old":"1","kept":"2"}}`,
		"PATCH /storage/v1/b/b": `{"name":"b"}`,
	}
	cases := map[string][]string{
		`{"labels":{"new":"3"}}`:                         {"--update-labels", "new=3"},
		`{"labels":{"old":null}}`:                        {"--remove-labels", "old"},
		`{"labels":{"kept":null,"old":null}}`:            {"--clear-labels"},
		`{"labels":{"kept":"4","new":"3","old":null}}`:   {"--clear-labels", "--update-labels", "new=3,kept=4"},
		`{"labels":{"kept":null,"new":"3","other":"x"}}`: {"--remove-labels", "kept", "--update-labels", "new=3,other=x"},
	}
	for want, flags := range cases {
		_, _, sent, status := hearth(t, answers, append([]string{"storage", "buckets", "update", "gs://b"}, flags...)...)
		if got := sent["PATCH /storage/v1/b/b"]; got != want || status != exitOK {
			t.Errorf("%v: %d, sent %s, want %s", flags, status, got, want)
		}
	}
}
