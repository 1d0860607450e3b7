package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArrange(t *testing.T) {
	cases := map[string]struct{ in, want, tail string }{
		"Nothing":              {"hearth", "hearth", ""},
		"FlagsBehindArguments": {"hearth versions create v1 --model m --async", "hearth versions create --model m --async -- v1", ""},
		"GlobalFlagsLast":      {"hearth jobs list --format json -q", "hearth --format json -q jobs list", ""},
		"GlobalFlagWithEquals": {"hearth jobs describe j --format=json", "hearth --format=json jobs describe -- j", ""},
		"Tail":                 {"hearth jobs submit training j --async -- --data x", "hearth jobs submit training --async -- j", "--data x"},
		"TailOfGlobalFlags":    {"hearth exec -- tool --format json", "hearth exec", "tool --format json"},
		"ArgumentLikeCommand":  {"hearth jobs describe list", "hearth jobs describe -- list", ""},
		"BoolTakesNoValue":     {"hearth storage cp -r a gs://b", "hearth storage cp -r -- a gs://b", ""},
		"Streams":              {"hearth storage cp - gs://b/o", "hearth storage cp -- - gs://b/o", ""},
		"UnknownFlagStays":     {"hearth jobs list --nope", "hearth jobs list --nope", ""},
		"UnknownCommand":       {"hearth jobs frob x", "hearth jobs -- frob x", ""},
		"HelpOfCommand":        {"hearth jobs cancel --help", "hearth jobs cancel --help", ""},
		"Completion":           {"hearth jobs --generate-bash-completion", "hearth jobs --generate-bash-completion", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, tail := arrange(newApp(nil, io.Discard, io.Discard), strings.Fields(c.in))
			if diff := cmp.Diff(strings.Fields(c.want), got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if diff := cmp.Diff(c.tail, strings.Join(tail, " ")); diff != "" {
				t.Errorf("tail: want -, got +:\n%s", diff)
			}
		})
	}
}
