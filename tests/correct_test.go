package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// batchedUnits is how far a row may be from its answer when it ran with others, in units
// of the last place, or twice as far as TensorFlow's own are where that is more:
// matrices of other sizes are multiplied in another order.
const batchedUnits = 4

// TestCorrect: what real exports answer is what Python's TensorFlow answers, bit for bit
// where a request runs by itself, in every dialect.
func TestCorrect(t *testing.T) {
	d := newDaemonOfRuntimes(t)
	d.must("storage", "buckets", "create", "gs://models")
	over := startGRPCAnswers(t, d)
	var batched atomic.Int64
	// The daemon outlives the parallel ones of the group.
	t.Run("exports", func(t *testing.T) {
		for _, path := range exportedCases(t) {
			f := readCases(t, path)
			t.Run(f.Runtime+"/"+f.Model, func(t *testing.T) {
				t.Parallel()
				s := &served{caseFile: f, d: d.in(t), name: f.Model + "_" + strings.NewReplacer(".", "_", "-", "_").Replace(f.Runtime)}
				s.d.deploy(s.name, f.Path, s.name, f.Runtime)
				for _, c := range f.Cases {
					s.checkAlone(c, over)
				}
				s.checkMadeBefore()
				batched.Add(s.checkTogether())
				s.d.must("versions", "delete", "v1", "--model", s.name, "--quiet")
			})
		}
	})
	if batched.Load() == 0 {
		t.Error("no two requests ran together: nothing was tested with others")
	}
}

// served is a model of a case file that a daemon serves.
type served struct {
	caseFile
	d    *daemon
	name string
}

// checkAlone asks in each dialect that the request can be put into.
func (s *served) checkAlone(c answered, over *grpcAnswers) {
	t := s.d.t
	t.Helper()
	if c.Rows != nil {
		predictions, err := s.aiPlatform(http.DefaultClient, c)
		s.wantSame("AI Platform", c, predictions, err)
		predictions, err = s.servingRows(http.DefaultClient, c)
		s.wantSame("TensorFlow Serving, rows", c, predictions, err)
	}
	outputs, err := s.servingColumns(c)
	s.wantSame("TensorFlow Serving, columns", c, outputs, err)
	outputs, err = over.ask(s.name, c)
	s.wantSame("gRPC", c, outputs, err)
}

func (s *served) wantSame(dialect string, c answered, outputs map[string]any, err error) {
	t := s.d.t
	t.Helper()
	for name := range c.Outputs {
		var units float64
		if err == nil {
			units, err = c.apart(name, outputs[name])
		}
		if err != nil || units > 0 {
			t.Errorf("%s, signature %s, %d rows, output %s: %v, %g units apart", dialect, c.Signature, len(c.Rows), name, err, units)
		}
	}
	if len(outputs) != len(c.Outputs) && err == nil {
		t.Errorf("%s, signature %s: %d outputs, want %d", dialect, c.Signature, len(outputs), len(c.Outputs))
	}
}

// aiPlatform asks as AI Platform's clients do, and gives the outputs as columns.
func (s *served) aiPlatform(client *http.Client, c answered) (map[string]any, error) {
	body := map[string]any{"instances": c.Rows}
	// The only signature is used whatever its name.
	if len(s.signatures()) > 1 && c.Signature != "serving_default" {
		body["signature_name"] = c.Signature
	}
	var answer struct{ Predictions []map[string]any }
	if err := s.post(client, "/v1/projects/hearth/models/"+s.name+":predict", body, &answer); err != nil {
		return nil, err
	}
	return columnsOf(answer.Predictions), nil
}

// servingRows asks as TensorFlow Serving's clients do, for rows, which are bare where
// there is one output.
func (s *served) servingRows(client *http.Client, c answered) (map[string]any, error) {
	var answer struct{ Predictions []any }
	if err := s.post(client, "/v1/models/"+s.name+":predict", map[string]any{"instances": c.Rows, "signature_name": c.Signature}, &answer); err != nil {
		return nil, err
	}
	rows := make([]map[string]any, len(answer.Predictions))
	for i, p := range answer.Predictions {
		rows[i] = named(c, p)
	}
	return columnsOf(rows), nil
}

func (s *served) servingColumns(c answered) (map[string]any, error) {
	var answer struct{ Outputs any }
	if err := s.post(http.DefaultClient, "/v1/models/"+s.name+":predict", map[string]any{"inputs": c.Inputs, "signature_name": c.Signature}, &answer); err != nil {
		return nil, err
	}
	return named(c, answer.Outputs), nil
}

// named gives a value its output's name where there is one, and it comes without.
func named(c answered, value any) map[string]any {
	if len(c.Outputs) == 1 {
		for name := range c.Outputs {
			return map[string]any{name: value}
		}
	}
	object, _ := value.(map[string]any)
	return object
}

func columnsOf(rows []map[string]any) map[string]any {
	columns := map[string]any{}
	for _, row := range rows {
		for name, value := range row {
			list, _ := columns[name].([]any)
			columns[name] = append(list, value)
		}
	}
	return columns
}

func (s *served) post(client *http.Client, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	b, err = target{addr: s.d.addr, path: path, token: s.d.token, body: b}.askBy(client)
	if err != nil {
		return err
	}
	return unmarshalNumbers(b, answer)
}

// checkMadeBefore asks what make_models.py wrote beside the model, if it is one of its
// own. Those answers are of Python's functions: where they are not the session's, the
// cases say how far from them they are.
func (s *served) checkMadeBefore() {
	t := s.d.t
	folder := filepath.Dir(s.Path)
	requests, err := filepath.Glob(filepath.Join(folder, "request*.json"))
	check(t, err)
	for _, path := range requests {
		var request struct {
			Instances []json.RawMessage
			Signature string `json:"signature_name"`
		}
		var want struct{ Predictions []map[string]any }
		readJSON(t, path, &request)
		readJSON(t, filepath.Join(folder, "expected"+strings.TrimPrefix(filepath.Base(path), "request")), &want)
		c := answered{Signature: request.Signature, Rows: request.Instances}
		if c.Signature == "" {
			c.Signature = "serving_default"
		}
		got, err := s.aiPlatform(http.DefaultClient, c)
		check(t, err)
		types, functions := s.about(c.Signature)
		for name, column := range columnsOf(want.Predictions) {
			for i, value := range column.([]any) {
				units, err := apart(got[name].([]any)[i], value, types[name])
				if err != nil || units > 2*functions[name] {
					t.Errorf("%s, instance %d, output %s: %v, %g units apart, Python's own %g", filepath.Base(path), i, name, err, units, functions[name])
				}
			}
		}
	}
}

// about gives the types of a signature's outputs, and how far Python's functions are from
// its sessions at most.
func (s *served) about(signature string) (types map[string]string, functions map[string]float64) {
	functions = map[string]float64{}
	for _, c := range s.Cases {
		if c.Signature == signature {
			types = c.Types
			for name, units := range c.FunctionsApart {
				functions[name] = max(functions[name], units+c.threadsApart(name))
			}
		}
	}
	return types, functions
}

// checkTogether lets clients of both dialects ask for single rows at once, and gives how
// many requests shared a run with others. If none did, all answers are those of requests
// that run alone.
func (s *served) checkTogether() (shared int64) {
	const clients = 8
	var single []answered
	for _, c := range s.Cases {
		if len(c.Rows) == 1 && (c.Signature == "serving_default" || len(s.signatures()) == 1) {
			single = append(single, c)
		}
	}
	each := 12
	if len(single[0].Rows[0]) > 64<<10 {
		each = 2 // of images as numbers
	}
	requests, runs := s.counted()
	farthest := &farthestApart{by: map[string]float64{}}
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			own, ask := &http.Client{Transport: &http.Transport{}}, s.aiPlatform
			if client%2 == 1 {
				ask = s.servingRows
			}
			for i := range each {
				c := single[(client+i)%len(single)]
				outputs, err := ask(own, c)
				farthest.add(c, outputs, err)
			}
		})
	}
	group.Wait()
	requestsAfter, runsAfter := s.counted()
	shared = (requestsAfter - requests) - (runsAfter - runs)
	farthest.check(s, shared > 0)
	return shared
}

// farthestApart keeps how far answers to the same signature were from what they should be.
type farthestApart struct {
	mu  sync.Mutex
	by  map[string]float64
	err error
}

func (f *farthestApart) add(c answered, outputs map[string]any, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range c.Outputs {
		var units float64
		if err == nil {
			units, err = c.apart(name, outputs[name])
		}
		if err != nil {
			f.err = fmt.Errorf("output %s: %w", name, err)
		}
		f.by[name] = max(f.by[name], units)
	}
}

func (f *farthestApart) check(s *served, together bool) {
	t := s.d.t
	t.Helper()
	if f.err != nil {
		t.Errorf("several clients: %v", f.err)
	}
	for name, units := range f.by {
		allowed := 0.0
		if together {
			allowed = batchedUnits
			for _, outputs := range s.BatchedApart {
				allowed = math.Max(allowed, 2*outputs[name])
			}
			for _, c := range s.Cases {
				allowed = math.Max(allowed, 2*c.threadsApart(name))
			}
		}
		if units > allowed {
			t.Errorf("several clients, output %s: %g units apart, allowed are %g", name, units, allowed)
		}
		t.Logf("several clients, together %t, output %s: %.1f units apart", together, name, units)
	}
}

// counted gives how many requests the model has answered, and in how many runs.
func (s *served) counted() (requests, runs int64) {
	t := s.d.t
	t.Helper()
	_, b := s.d.raw("GET", "/metrics", "")
	count := func(metric string) (sum int64) {
		for _, m := range regexp.MustCompile(metric+`\{[^}]*model="`+s.name+`"[^}]*\} ([0-9]+)`).FindAllSubmatch(b, -1) {
			n, err := strconv.ParseInt(string(m[1]), 10, 64)
			check(t, err)
			sum += n
		}
		return sum
	}
	return count("hearth_predict_requests_total"), count("hearth_predict_run_instances_count")
}

// grpcAnswers is TensorFlow Serving's client in a process of its own.
type grpcAnswers struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

func startGRPCAnswers(t *testing.T, d *daemon) *grpcAnswers {
	t.Helper()
	exports, err := filepath.Abs("exports")
	check(t, err)
	cmd := exec.Command(filepath.Join(d.data, "runtimes", "2.21", "bin", "python"), "clients/tfserving/answers.py", d.addr, d.token, exports)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+fromEnv(t, "HEARTH_TEST_TFSERVING"), "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=")
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gRPC client: %v\n%s", err, stderr)
		}
	})
	return &grpcAnswers{in: in, out: bufio.NewReader(out)}
}

func (g *grpcAnswers) ask(model string, c answered) (map[string]any, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	request, err := json.Marshal(map[string]any{"model": model, "signature": c.Signature, "inputs": c.Inputs})
	if err != nil {
		return nil, err
	}
	if _, err := g.in.Write(append(request, '\n')); err != nil {
		return nil, err
	}
	line, err := g.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var answer struct {
		Outputs map[string]any
		Error   string
	}
	if err := unmarshalNumbers(line, &answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s", answer.Error)
	}
	return answer.Outputs, nil
}
