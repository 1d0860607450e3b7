package appliance

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// The example must hold every key, with its default, each under a comment.
func TestConfig_ExampleHoldsTheDefaults(t *testing.T) {
	b, err := os.ReadFile("../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	var got Config
	if err := decodeConfig(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(DefaultConfig(), got); diff != "" {
		t.Errorf("config.example.toml differs from the defaults (-code +example):\n%s", diff)
	}
	var tree map[string]any
	if err := toml.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	for _, key := range configKeys(reflect.TypeFor[Config](), "") {
		if !hasKey(tree, key) {
			t.Errorf("config.example.toml lacks %s", key)
		}
	}
	var above string
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, " = ") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(above, "#") {
			t.Errorf("no comment above %q", line)
		}
		above = line
	}
}

func configKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Share]() {
			keys = append(keys, configKeys(f.Type, key+".")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

func hasKey(tree map[string]any, key string) bool {
	head, rest, nested := strings.Cut(key, ".")
	v, ok := tree[head]
	if !ok || !nested {
		return ok
	}
	sub, ok := v.(map[string]any)
	return ok && hasKey(sub, rest)
}

func TestLoadConfig_Errors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":  {"[scheduler]\ngrase = \"1s\"\n", `line 2: there is no key scheduler.grase`},
		"bad size":     {"[predict]\nmax_body = \"many\"\n", `"many" is not a size`},
		"bad duration": {"[scheduler]\ngrace = \"soon\"\n", `"soon" is not a duration`},
		"bad share":    {"[scheduler]\nmemory_limit = \"180%\"\n", `not a percentage`},
		"not TOML":     {"[scheduler\n", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hearth.toml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadConfig(path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestShare_Of(t *testing.T) {
	for text, want := range map[string]int64{"80%": 800, "12": 12, "1KiB": 1024} {
		var s Share
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := s.Of(1000); got != want {
			t.Errorf("%s of 1000 is %d, want %d", text, got, want)
		}
	}
}
