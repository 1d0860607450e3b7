package tests

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// oneLine is a trainer that prints one line and ends.
const oneLine = `
import os, sys
job, ran = sys.argv[1:]
f = os.open(ran, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(f, (job + "\n").encode())
print("the line of", job)
`

// Jobs are submitted by several clients while the daemon is killed every few
// seconds: each runs exactly once, whatever its client was told.
func TestKills_ManyJobs(t *testing.T) {
	n, every := 60, time.Second
	if long() {
		n, every = 1000, 4*time.Second
	}
	d := newDaemon(t, "cpus = 4")
	uri := d.upload(trainer(t, oneLine), "one_line")
	ran := filepath.Join(t.TempDir(), "ran")
	name := func(i int) string { return fmt.Sprintf("kill_%04d", i) }

	work := make(chan int)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for i := range work {
				d.submitUntilTaken(name(i), uri, ran)
			}
		})
	}
	submitted := make(chan struct{})
	go func() {
		for i := range n {
			work <- i
		}
		close(work)
		clients.Wait()
		close(submitted)
	}()

	kills, began := 0, time.Now()
	for timer := time.NewTimer(every); ; timer.Reset(every/2 + rand.N(every)) {
		<-timer.C
		select {
		case <-submitted:
			if d.idle() {
				t.Logf("%d jobs, %d kills, %.1f jobs/s", n, kills, float64(n)/time.Since(began).Seconds())
				d.checkEachRanOnce(n, name, ran)
				return
			}
		default:
		}
		d.kill()
		d.restart()
		kills++
	}
}

// submitUntilTaken submits a job until the daemon has it. A daemon that was
// killed over it may have taken it.
func (d *daemon) submitUntilTaken(job string, uri string, ran string) {
	body, _ := json.Marshal(map[string]any{"jobId": job, "trainingInput": map[string]any{
		"packageUris": []string{uri}, "pythonModule": "trainer.task", "region": "here", "runtimeVersion": "test", "args": []string{job, ran},
	}})
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		req, err := http.NewRequest(http.MethodPost, "http://"+d.addr+"/v1/projects/hearth/jobs", strings.NewReader(string(body)))
		if err != nil {
			d.t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+d.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusConflict {
			tick.Stop()
			return
		}
	}
}

// idle reports whether no job waits or runs.
func (d *daemon) idle() bool {
	_, queue := d.call("GET", "/hearth/v1/queue", "")
	return queue["waiting"] == 0.0 && queue["running"] == nil
}

func (d *daemon) checkEachRanOnce(n int, name func(int) string, ran string) {
	d.t.Helper()
	b, err := os.ReadFile(ran)
	check(d.t, err)
	times := map[string]int{}
	for line := range strings.Lines(string(b)) {
		times[strings.TrimSpace(line)]++
	}
	for i := range n {
		job := name(i)
		if _, got := d.call("GET", "/v1/projects/hearth/jobs/"+job, ""); got["state"] != "SUCCEEDED" || times[job] != 1 {
			d.t.Errorf("%s ran %d times and is %v: %v", job, times[job], got["state"], got["errorMessage"])
		}
		log, _ := os.ReadFile(filepath.Join(d.data, "attempts", "hearth."+job+".1", "master-replica-0", "stdout.log"))
		if string(log) != "the line of "+job+"\n" {
			d.t.Errorf("the log of %s is %q", job, log)
		}
	}
	if again, _ := filepath.Glob(filepath.Join(d.data, "attempts", "*.2")); len(again) > 0 || len(times) != n {
		d.t.Errorf("second attempts %v; %d jobs of %d ran", again, len(times), n)
	}
}

// gangTrainer is a trainer of a cluster: the master ends when it has reached all
// others, who listen for ever.
const gangTrainer = `
import json, os, signal, socket, sys, time
config = json.loads(os.environ["TF_CONFIG"])
me, members = config["task"], config["cluster"]
host, port = members[me["type"]][me["index"]].split(":")
own = socket.create_server((host, int(port)))
with open(sys.argv[1], "a") as f:
    f.write("%s-%d\n" % (me["type"], me["index"]))
if me["type"] != "chief":
    signal.pause()
for address in sum((members[k] for k in members if k != "chief"), []):
    while True:
        try:
            socket.create_connection(address.split(":")).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
time.sleep(0.2)
`

// The daemon is killed at each crash point and at random moments of a
// distributed job, and supervisors are: nothing of the job is left behind.
func TestKills_DistributedJob(t *testing.T) {
	points := append([]string{"first replica started"}, crashPoints...)
	rounds := len(points) + 2
	if long() {
		rounds = 100
	}
	d := prepareDaemon(t, "cpus = 8")
	d.start()
	d.waitReady()
	uri := d.upload(trainer(t, gangTrainer), "gang")
	d.kill()
	for i := range rounds {
		job, ran := "gang_"+strconv.Itoa(i), filepath.Join(t.TempDir(), "ran")
		switch point := i % (len(points) + 2); {
		case point < len(points):
			d.start("HEARTH_CRASH_AT=" + points[point])
			d.waitReady()
			d.submitGang(job, uri, ran)
			d.waitEnd()
		case point == len(points):
			d.restart()
			d.submitGang(job, uri, ran)
			<-time.After(rand.N(time.Second))
			d.kill()
		default:
			d.restart()
			d.submitGang(job, uri, ran)
			awaitLines(t, ran, 4)
			d.killSupervisor("worker-replica-1")
			d.kill()
		}
		d.restart()
		got := d.wait(job)
		if lost := strings.Contains(fmt.Sprint(got["errorMessage"]), "the supervisor of the process was killed"); got["state"] != "SUCCEEDED" && !lost {
			t.Errorf("%s is %v: %v", job, got["state"], got["errorMessage"])
		}
		if replicas := awaitLines(t, ran, 4); len(replicas) != 4 {
			t.Errorf("%s: these ran: %v", job, replicas)
		}
		d.checkNothingLeft(job)
		d.kill()
	}
	d.restart()
}

func (d *daemon) submitGang(job, uri, ran string) {
	d.t.Helper()
	d.hearth("jobs", "submit", "training", job, "--packages", uri, "--module-name", "trainer.task", "--scale-tier", "standard-1",
		"--runtime-version", "test", "--region", "here", "--async", "--", ran)
}

// killSupervisor kills the supervisor of one task, as the kernel might.
func (d *daemon) killSupervisor(task string) {
	d.t.Helper()
	for _, pid := range d.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if args := strings.Split(string(cmdline), "\x00"); len(args) > 2 && args[1] == "task" && filepath.Base(args[2]) == task {
			check(d.t, syscall.Kill(pid, syscall.SIGKILL))
			return
		}
	}
	d.t.Errorf("there is no supervisor of %s", task)
}

// checkNothingLeft looks for processes, ports, cgroups and leases of a job that
// is over.
func (d *daemon) checkNothingLeft(job string) {
	d.t.Helper()
	mark := "hearth." + job + "."
	for _, pid := range d.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		// A supervisor writes exit.json before it ends itself.
		if strings.Contains(string(environ), mark) && !strings.Contains(string(cmdline), "\x00task\x00") {
			d.t.Errorf("process %d of %s is left: %q", pid, job, cmdline)
		}
	}
	tcp, err := os.ReadFile("/proc/net/tcp")
	check(d.t, err)
	for line := range strings.Lines(string(tcp)) {
		f := strings.Fields(line)
		_, hex, _ := strings.Cut(f[1], ":")
		if port, _ := strconv.ParseInt(hex, 16, 32); port >= 20000 && port <= 20999 && f[3] == "0A" {
			d.t.Errorf("somebody listens on port %d after %s", port, job)
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.Contains(e.Name(), mark) {
			d.t.Errorf("cgroup %s is left", path)
		}
		return nil
	})
	if !d.idle() {
		_, queue := d.call("GET", "/hearth/v1/queue", "")
		d.t.Errorf("there is a lease: %v", queue)
	}
}
