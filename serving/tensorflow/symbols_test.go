package tensorflow

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The linker leaves the C functions open, so that a wrong name would show only
// when it is called. This test finds it: every function of the C API that the
// program wants must be in the library.
func TestLibrary_HasEverySymbol(t *testing.T) {
	needRuntime(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, s := range dynamicSymbols(t, program) {
		if strings.HasPrefix(s.Name, "TF") && s.Section == elf.SHN_UNDEF {
			wanted[s.Name] = true
		}
	}
	if !wanted["TF_SessionRun"] || !wanted["TF_Version"] {
		t.Fatalf("the program wants %d functions, TF_SessionRun and TF_Version not among them: is it linked with --export-dynamic?", len(wanted))
	}
	for _, name := range libraries {
		for _, s := range dynamicSymbols(t, filepath.Join(os.Getenv("HEARTH_TEST_TENSORFLOW"), name)) {
			if s.Section != elf.SHN_UNDEF {
				delete(wanted, s.Name)
			}
		}
	}
	for name := range wanted {
		t.Errorf("the library has no %s", name)
	}
}

func dynamicSymbols(t *testing.T, path string) []elf.Symbol {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}
