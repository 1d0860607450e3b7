package scheduler

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/ml"
	"hearth/storage/metadata"
)

// TestScripts runs the stories in testdata. A line is a command; # begins a
// comment:
//
//	slots cpus=4 memory=8 gpus=2 ports=3   the machine; first of all, memory in GiB
//	requeue                                jobs that the host fails wait again
//	submit NAME WORD…                      see stageJob
//	tick 10s                               time goes on
//	run NAME                               the job's program begins
//	end NAME SUCCEEDED|FAILED              the job's program has ended
//	lose NAME                              the host fails the job
//	cancel NAME                            a user does; what holds slots goes on until its end
//	condemn GPU-0, clear GPU-0             an error of the device; an operator
//	occupy GPU-0, vacate GPU-0             a process uses it, whatever is leased
//	serve VERSION gpus=N                   a version asks for devices
//	unserve VERSION                        it gives them back
//	expect VERSION serves gpus=N           it has so many; 0 while it waits
//	restart                                the daemon dies and another starts
//	expect NAME STATE WORD…                position=N, gpus=N, ports=N, attempt=N, priority order in the queue
//	expect NAME waits TEXT                 the reason that the queue gives
//	expect NAME starts in 30s              as the queue foresees it; "never": nobody knows
//	expect NAME says TEXT                  the error message
//	refused NAME WORD…                     a submit that can never fit
//
// After each line the invariants are checked.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runScript(t, file, string(text))
		})
	}
}

func runScript(t *testing.T, file, text string) {
	p := &play{t: t, options: Options{Machines: stageMachines()}, hardware: &hardware{map[string]error{}, map[string][]int{}}, asked: map[string]*want{}}
	p.options.Devices = p.hardware
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		err := p.command(words[0], words[1:])
		if err == nil && p.stage != nil {
			err = errors.Join(p.noteGiven(), p.check())
		}
		if err != nil {
			t.Fatalf("%s:%d: %s: %v", file, n, strings.TrimSpace(line), err)
		}
	}
}

// play is a script at work.
type play struct {
	t        *testing.T
	options  Options
	hardware *hardware
	asked    map[string]*want // by versions that have not been given
	*stage
}

func (p *play) command(name string, words []string) error {
	switch name {
	case "slots":
		return p.slotsCommand(words)
	case "requeue":
		p.options.Requeue = true
		return nil
	}
	if p.stage == nil {
		p.stage = newStage(p.t, p.options)
	}
	switch name {
	case "restart":
		clear(p.asked)
		p.restart()
		return nil
	case "condemn":
		p.hardware.faults[words[0]] = fmt.Errorf("GPU %s reported XID 79", words[0])
	case "clear":
		delete(p.hardware.faults, words[0])
	case "occupy":
		p.hardware.pids[words[0]] = []int{4711}
		return nil
	case "vacate":
		delete(p.hardware.pids, words[0])
	case "tick":
		d, err := time.ParseDuration(words[0])
		p.tick(d)
		return err
	case "serve":
		if err := p.serve(words[0], words[1]); err != nil {
			return err
		}
	case "unserve":
		if err := p.unserve(words[0]); err != nil {
			return err
		}
	case "submit":
		job, err := stageJob(words[0], words[1:])
		if err != nil {
			return err
		}
		if err := p.canFit(job); err != nil {
			return err
		}
		return p.submitJob(job)
	case "refused":
		job, err := stageJob(words[0], words[1:])
		if err == nil && p.canFit(job) == nil {
			err = fmt.Errorf("it was taken")
		}
		return err
	case "run":
		return p.begin(words[0])
	case "end":
		return p.end(words[0], metadata.Finish{State: ml.JobState(words[1]), ErrorMessage: "it failed", Cause: metadata.CauseProgram, Exit: &ml.Exit{}})
	case "lose":
		return p.end(words[0], metadata.Finish{State: ml.JobFailed, ErrorMessage: "the host failed it", Cause: metadata.CauseInfrastructure, Exit: &ml.Exit{Lost: true}})
	case "cancel":
		err := p.Cancel(p.t.Context(), stageProject, words[0])
		p.turn()
		return err
	case "expect":
		return p.expect(words[0], words[1], words[2:])
	default:
		return fmt.Errorf("there is no command %s", name)
	}
	p.DeviceChanged()
	p.turn()
	return nil
}

// serve asks for devices as the serving side does for a version, made if there is
// none.
func (p *play) serve(version, count string) error {
	var n int
	if _, err := fmt.Sscanf(count, "gpus=%d", &n); err != nil {
		return err
	}
	if _, err := p.db.CreateModel(stageProject, &ml.Model{Name: "m"}); err != nil && ml.KindOf(err) != ml.AlreadyExists {
		return err
	}
	_, _, err := p.db.CreateVersion(stageProject, "m", &ml.Version{Name: version, DeploymentURI: "gs://b/m", RuntimeVersion: "2.21"})
	if err != nil && ml.KindOf(err) != ml.AlreadyExists {
		return err
	}
	p.asked[version] = p.askGPUs(ml.VersionName(stageProject, "m", version), n)
	return nil
}

func (p *play) unserve(version string) error {
	delete(p.asked, version)
	p.ReleaseGPUs(ml.VersionName(stageProject, "m", version))
	return p.db.SetVersionGPUs(stageProject, "m", version, 0, nil)
}

// noteGiven does with the devices that versions get what the serving side does.
func (p *play) noteGiven() error {
	for version, w := range p.asked {
		select {
		case uuids := <-w.given:
			delete(p.asked, version)
			if err := p.db.SetVersionGPUs(stageProject, "m", version, 0, uuids); err != nil {
				return err
			}
		default:
		}
	}
	return nil
}

func (p *play) expectServes(version, count string) error {
	if got := fmt.Sprintf("gpus=%d", len(p.slots.tenants.held[ml.VersionName(stageProject, "m", version)])); got != count {
		return fmt.Errorf("it has %s", got)
	}
	return nil
}

func (p *play) slotsCommand(words []string) error {
	o := &p.options
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var n int
		if _, err := fmt.Sscan(value, &n); err != nil {
			return err
		}
		switch key {
		case "cpus":
			o.CPUs = n
		case "memory":
			o.Memory = int64(n) * gib
		case "gpus":
			for i := range n {
				o.GPUs = append(o.GPUs, fmt.Sprintf("GPU-%d", i))
			}
		case "ports":
			o.Ports = [2]int{21000, 21000 + n - 1}
		default:
			return fmt.Errorf("what is %q?", word)
		}
	}
	if o.Ports[1] == 0 {
		o.Ports = [2]int{21000, 21099}
	}
	return nil
}

func (p *play) expect(id, what string, words []string) error {
	if what == "serves" {
		return p.expectServes(id, words[0])
	}
	job, err := p.Job(stageProject, id)
	if err != nil {
		return err
	}
	text := strings.Join(words, " ")
	switch what {
	case "says":
		if !strings.Contains(job.ErrorMessage, text) {
			return fmt.Errorf("it says %q", job.ErrorMessage)
		}
		return nil
	case "waits", "starts":
		return p.expectInQueue(id, what, text)
	}
	if string(job.State) != what {
		return fmt.Errorf("it is %s: %s", job.State, job.ErrorMessage)
	}
	r := p.run(id)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		got := "none"
		switch {
		case key == "position":
			got = fmt.Sprint(job.JobPosition)
		case key == "gpus" && r != nil:
			got = fmt.Sprint(len(r.attempt.Lease.GPUs))
		case key == "ports" && r != nil:
			got = fmt.Sprint(len(r.attempt.Lease.Ports))
		case key == "attempt" && r != nil:
			got = fmt.Sprint(r.attempt.Number)
		}
		if got != value {
			return fmt.Errorf("%s is %s", key, got)
		}
	}
	return nil
}

func (p *play) expectInQueue(id, what, text string) error {
	for _, w := range p.Queue(100, p.now).Jobs {
		if w.Job != id {
			continue
		}
		if what == "waits" {
			if !strings.Contains(w.Reason, text) {
				return fmt.Errorf("the reason is %q", w.Reason)
			}
			return nil
		}
		got := "never"
		if !w.ExpectedStartTime.IsZero() {
			got = "in " + w.ExpectedStartTime.Sub(p.now).Round(time.Millisecond).String()
		}
		if got != text {
			return fmt.Errorf("it is expected to start %s", got)
		}
		return nil
	}
	return fmt.Errorf("it is not in the queue")
}
