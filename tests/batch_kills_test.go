package tests

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A batch prediction whose worker, supervisor and daemon are killed again and again
// gives, byte for byte, what an undisturbed one gives.
func TestBatch_Kills(t *testing.T) {
	kills, rows, pause := 10, 150, 100*time.Millisecond
	if long() {
		kills, rows, pause = 100, 1200, 3*time.Second
	}
	d := newDaemon(t)
	d.model("bert", "bert_tiny_128")
	lines, _ := requestRows(t, "bert_tiny_128", "_b16")
	files := map[string]string{}
	for i := range 50 {
		var text strings.Builder
		for n := range rows {
			text.WriteString(lines[(i+n)%len(lines)] + "\n")
		}
		if i%10 == 3 {
			text.WriteString("not a record\n")
		}
		files[fmt.Sprintf("in/%02d", i)] = text.String()
	}
	d.fillBucket("lots", files)
	submit := func(job string) {
		d.submitPrediction(job, predictionJob{
			"modelName": "projects/hearth/models/bert", "dataFormat": "JSON", "batchSize": "16", "inputPaths": []string{"gs://lots/in/*"},
			"outputPath": "gs://lots/" + job, "region": "here",
		})
	}
	submit("calm")
	calm := d.wait("calm")
	if calm["state"] != "SUCCEEDED" {
		t.Fatalf("undisturbed: %v", calm)
	}
	submit("killed")
	done := d.killPrediction("killed", kills, pause)
	job := d.wait("killed")
	if job["state"] != "SUCCEEDED" {
		t.Fatalf("after %d kills: %v", done, job)
	}
	t.Logf("%d kills", done)
	if done < kills/4 {
		t.Errorf("the job was over after %d kills of %d", done, kills)
	}
	if want, got := d.objectsBelow("lots", "calm/"), d.objectsBelow("lots", "killed/"); !maps.Equal(want, got) || len(want) != 105 {
		t.Errorf("%d objects, %d after kills, and not the same", len(want), len(got))
	}
	for _, count := range []string{"predictionCount", "errorCount"} {
		want, got := calm["predictionOutput"].(map[string]any)[count], job["predictionOutput"].(map[string]any)[count]
		if want != got {
			t.Errorf("%s %v, want %v", count, got, want)
		}
	}
}

// killPrediction kills a job's worker, its supervisor or the daemon until it has done
// so often enough or the job is over: each time a random part of the pause after the
// worker is seen, in the short form after it has got further.
func (d *daemon) killPrediction(job string, kills int, pause time.Duration) (done int) {
	d.t.Helper()
	shards := 0.0
	for timer := time.NewTimer(0); done < kills; {
		<-timer.C
		if _, got := d.call("GET", "/v1/projects/hearth/jobs/"+job, ""); got["endTime"] != nil {
			return done
		}
		worker := d.predictionProcess("batch-predict")
		_, p := d.call("GET", "/hearth/v1/projects/hearth/jobs/"+job+"/progress", "")
		now := p["shards"].(float64)
		if worker == 0 || now == shards && !long() {
			timer.Reset(10 * time.Millisecond)
			continue
		}
		shards = now
		<-time.After(rand.N(pause))
		switch rand.N(3) {
		case 0:
			syscall.Kill(worker, syscall.SIGKILL)
		case 1:
			if supervisor := d.predictionProcess("hearth." + job + "."); supervisor != 0 {
				syscall.Kill(supervisor, syscall.SIGKILL)
			}
		case 2:
			d.kill()
			d.restart()
		}
		done++
		timer.Reset(10 * time.Millisecond)
	}
	return done
}

// predictionProcess finds the process of this daemon with something in its command
// line, 0 if there is none. For the attempt of a job that is the supervisor.
func (d *daemon) predictionProcess(with string) int {
	folders, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range folders {
		cmdline, _ := os.ReadFile(file)
		words := bytes.Split(cmdline, []byte{0})
		if len(words) < 2 || !bytes.Contains(cmdline, []byte(d.data)) || !bytes.Contains(cmdline, []byte(with)) {
			continue
		}
		if isWorker := string(words[1]) == "batch-predict"; isWorker != (with == "batch-predict") {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		return pid
	}
	return 0
}
