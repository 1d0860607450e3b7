package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"hearth/cli/client"
)

var update = flag.Bool("update", false, "rewrite docs/cli.md")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hearth": func() { os.Exit(Main()) }})
}

// The stories that need no daemon. Those that do are in tests/cli.
func TestStories(t *testing.T) {
	// A stand-in for the one answer that env needs: it is a file.
	ca := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hearth/v1/ca" || r.Header.Get("Authorization") != "Bearer s3cret" {
			http.Error(w, "unexpected", http.StatusTeapot)
			return
		}
		w.Write([]byte("certificates\n"))
	}))
	t.Cleanup(ca.Close)
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("CA_SERVER", ca.URL)
			// Nobody listens on port 1.
			e.Setenv("HEARTH_ENDPOINT", "http://127.0.0.1:1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  expectStatus,
			"host":    func(ts *testscript.TestScript, _ bool, _ []string) { announce(ts, ca.Listener.Addr().String()) },
			"private": func(ts *testscript.TestScript, _ bool, _ []string) { checkPrivate(ts) },
		},
	})
}

// expectStatus runs a command that must end with a status: status N COMMAND…
func expectStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%v ended with %v, want status %d", args[1:], err, want)
	}
}

// announce leaves word of a daemon as the daemon itself does.
func announce(ts *testscript.TestScript, address string) {
	dir := ts.MkAbs("home/.local/state/hearth")
	ts.Check(os.MkdirAll(dir, 0o700))
	word := fmt.Sprintf(`{"data": %q, "pid": 1}`, ts.MkAbs("data"))
	ts.Check(os.WriteFile(filepath.Join(dir, client.HostPort(address)+".json"), []byte(word), 0o600))
}

// checkPrivate checks that nobody else can read what env has written.
func checkPrivate(ts *testscript.TestScript) {
	dirs, err := filepath.Glob(ts.MkAbs("home/.local/state/hearth/127*_*"))
	ts.Check(err)
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		ts.Check(err)
		if info.IsDir() && info.Mode().Perm() == 0o700 {
			return
		}
	}
	ts.Fatalf("no private folder among %v", dirs)
}

func TestDocs_AreTrue(t *testing.T) {
	got := new(bytes.Buffer)
	writeDocs(got)
	path := filepath.Join("..", "docs", "cli.md")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got.String() {
		t.Error("docs/cli.md differs from the commands: go test ./cli -run TestDocs -update")
	}
}
