package serving

import (
	"reflect"
	"testing"

	"hearth/ml"
	"hearth/storage/metadata"
)

func TestPlan(t *testing.T) {
	k := key{"hearth", "m", "v1"}
	in := func(s ml.VersionState) []metadata.VersionRecord {
		return []metadata.VersionRecord{{Project: "hearth", Model: "m", Version: &ml.Version{Name: k.String(), State: s}}}
	}
	doing := func(g goal) map[key]*task { return map[key]*task{k: {key: k, goal: g}} }
	done := func(g goal) map[key]*task { return map[key]*task{k: {key: k, goal: g, ended: true}} }
	for name, tc := range map[string]struct {
		wanted  []metadata.VersionRecord
		running map[key]*task
		want    []action
	}{
		"nothing to do":                  {nil, nil, nil},
		"a new version":                  {in(ml.VersionCreating), nil, []action{{k, serve}}},
		"a version found at start":       {in(ml.VersionReady), nil, []action{{k, serve}}},
		"a version served":               {in(ml.VersionReady), doing(serve), nil},
		"a failure found at start":       {in(ml.VersionFailed), nil, []action{{k, clean}}},
		"a failure while it is served":   {in(ml.VersionFailed), doing(serve), []action{{k, nothing}}},
		"a failure cleaned":              {in(ml.VersionFailed), done(clean), nil},
		"a deletion while it is served":  {in(ml.VersionDeleting), doing(serve), []action{{k, nothing}}},
		"a deletion found at start":      {in(ml.VersionDeleting), nil, []action{{k, remove}}},
		"a deletion under way":           {in(ml.VersionDeleting), doing(remove), nil},
		"a deletion of a cleaned one":    {in(ml.VersionDeleting), done(clean), []action{{k, remove}}},
		"a new version of a freed name":  {in(ml.VersionCreating), done(clean), []action{{k, serve}}},
		"a version that is gone":         {nil, doing(serve), []action{{k, nothing}}},
		"a cleaned version that is gone": {nil, done(clean), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plan(tc.wanted, tc.running); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("plan gave %v, want %v", got, tc.want)
			}
		})
	}
}
