package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrintTable_Columns(t *testing.T) {
	var b bytes.Buffer
	printTable(&b, [][]string{{"NAME", "STATE", "NOTE"}, {"ä", "READY", ""}, {"long_name", "FAILED", "x"}})
	want := "NAME       STATE   NOTE\nä          READY\nlong_name  FAILED  x\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestPredictionTable(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"Objects":       {`[{"b": [1, 2.50], "a": "x"}, {"a": 3}]`, "A|B\nx|[1,2.50]\n3|\n"},
		"BareValues":    {`[1.5, [1, 2], "text"]`, "PREDICTIONS\n1.5\n[1,2]\ntext\n"},
		"Mixed":         {`[{"a": 1}, 2]`, "PREDICTIONS\n{\"a\":1}\n2\n"},
		"NoPredictions": {`[]`, "\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var predictions []json.RawMessage
			if err := json.Unmarshal([]byte(c.in), &predictions); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, row := range predictionTable(predictions) {
				got.WriteString(strings.Join(row, "|") + "\n")
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestInstancesOf(t *testing.T) {
	cases := map[string]struct {
		in   string
		text bool
		want string
	}{
		"JSONLines": {"1\n\n[1.50, 2]\r\n{\"k\": \"v\"}", false, `[1,[1.50,2],{"k":"v"}]`},
		"TextLines": {"a \"quoted\" line\n\nanother\r\n", true, `["a \"quoted\" line","another"]`},
		"Nothing":   {"", false, `[]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := instancesOf([]byte(c.in), c.text)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
	if _, err := instancesOf([]byte("1\nnope"), false); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken line gave %v, want an error that names line 2", err)
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 30: "3.0 GiB", 5 << 50: "5.0 PiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
