package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

func TestParseHierarchies(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, groups string
		want           hierarchies
	}{
		"Version2": {
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/system.slice/hearth.service\n",
			hierarchies{unified: "/sys/fs/cgroup/system.slice/hearth.service", legacy: map[string]string{}},
		},
		"Hybrid": {
			"31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
				"32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n",
			"2:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n",
			hierarchies{unified: "/sys/fs/cgroup/unified/c", legacy: map[string]string{
				"cpu": "/sys/fs/cgroup/cpu,cpuacct/a", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/a", "name=systemd": "/sys/fs/cgroup/systemd/b",
			}},
		},
		"Container": { // the mount shows the container's part alone
			"40 30 0:28 /docker/c1 /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n",
			"5:memory:/docker/c1/x:y\n",
			hierarchies{legacy: map[string]string{"memory": "/sys/fs/cgroup/memory/x:y"}},
		},
		"OutOfSight": { // we are not below what the mount shows
			"40 30 0:28 /docker/c1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"5:memory:/elsewhere\n",
			hierarchies{legacy: map[string]string{}},
		},
		"None": {"22 1 8:1 / / rw - ext4 /dev/root rw\n", "", hierarchies{legacy: map[string]string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := parseHierarchies(c.mounts, c.groups)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hierarchies{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestGroup_Version2 checks on plain files what is written where: this needs no
// host that has such controllers.
func TestGroup_Version2(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.idle", "cpu.weight"} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte("low 0\noom 3\noom_kill 2\noom_group_kill 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := group{Unified: dir, CPU: dir, Memory: dir, Pids: dir}
	if err := g.make(ml.Limits{MemoryBytes: 1 << 30}, ml.WeightIdle); err != nil {
		t.Fatal(err)
	}
	if err := g.limitPids(7); err != nil {
		t.Fatal(err)
	}
	if g.oomKills() != 2 {
		t.Errorf("%d kills", g.oomKills())
	}
	check := func(want map[string]string) {
		t.Helper()
		for f, v := range want {
			if got := strings.TrimSpace(read(t, filepath.Join(dir, f))); got != v {
				t.Errorf("%s: %q, want %q", f, got, v)
			}
		}
	}
	check(map[string]string{"memory.max": "1073741824", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "7", "cpu.idle": "1"})
	// A kernel without cpu.idle.
	if err := os.Remove(filepath.Join(dir, "cpu.idle")); err != nil {
		t.Fatal(err)
	}
	if err := g.setWeight(ml.WeightIdle); err != nil {
		t.Fatal(err)
	}
	check(map[string]string{"cpu.weight": "1"})
}

func TestGroup_OfProcess(t *testing.T) {
	stem := group{Unified: "/u/p", CPU: "/c/p", Memory: "/m/p", Pids: "/p/p", Freezer: "/f/p"}
	got := stem.of("hearth.job.1/worker-0", ml.Limits{})
	want := group{Unified: "/u/p@hearth.job.1@worker-0", CPU: "/c/p@hearth.job.1@worker-0", Memory: "/m/p@hearth.job.1@worker-0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := (group{}).of("a/b", ml.Limits{Pids: 1}); got != (group{}) {
		t.Errorf("of no group: %+v", got)
	}
}
