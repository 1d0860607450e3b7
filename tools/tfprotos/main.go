package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

const (
	tensorflowModule = "github.com/tensorflow/tensorflow"
	coreModule       = "github.com/tensorflow/tensorflow/tensorflow/go/core"
	protobufModule   = "google.golang.org/protobuf"

	// The stamp lies in a generated folder, so that removing the generated
	// folders removes it too.
	stampFile = "framework/.stamp"
)

// roots are the files whose messages the binding and serving/tensorflow use;
// everything they import is generated with them.
var roots = []string{
	"tensorflow/core/protobuf/meta_graph.proto",
	"tensorflow/core/protobuf/config.proto",
}

func main() {
	root := flag.String("root", "..", "folder of the main module")
	flag.Parse()
	if err := run(context.Background(), *root); err != nil {
		fmt.Fprintln(os.Stderr, "tfprotos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string) error {
	source, err := downloadTensorFlow(ctx, root)
	if err != nil {
		return err
	}
	out := filepath.Join(root, "serving", "tensorflow", "core")
	stamp := madeFrom(source.Version)
	if upToDate(out, stamp) {
		// make compares times, so the stamp must be newer than the sources.
		return os.WriteFile(filepath.Join(out, stampFile), stamp, 0o644)
	}
	files, err := generate(ctx, source.Dir)
	if err != nil {
		return err
	}
	if err := removeGenerated(out); err != nil {
		return err
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(out, name), content); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(out, stampFile), stamp)
}

// module is what "go mod download" says of a module.
type module struct {
	Version string
	Dir     string
	Error   string
}

func downloadTensorFlow(ctx context.Context, root string) (module, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", tensorflowModule)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	var m module
	if err := json.Unmarshal(out, &m); err != nil || m.Dir == "" {
		return m, fmt.Errorf("download module %s: %w: %s", tensorflowModule, errors.Join(runErr, err), m.Error+stderr.String())
	}
	return m, nil
}

// madeFrom names everything that the generated files depend on.
func madeFrom(tensorflowVersion string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", tensorflowModule, tensorflowVersion)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == protobufModule {
				fmt.Fprintf(&b, "%s %s\n", dep.Path, dep.Version)
			}
		}
	}
	for _, r := range roots {
		fmt.Fprintln(&b, r)
	}
	return []byte(b.String())
}

func upToDate(out string, stamp []byte) bool {
	old, err := os.ReadFile(filepath.Join(out, stampFile))
	return err == nil && bytes.Equal(old, stamp)
}

// removeGenerated deletes every folder of the nested module; its go.mod, the
// only thing in it that is not generated, is a file and stays.
func removeGenerated(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there: is -root the main module?", out)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := os.RemoveAll(filepath.Join(out, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}
