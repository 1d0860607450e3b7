package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kept is a connection of a client that keeps it.
type kept struct {
	t  testing.TB
	c  net.Conn
	in *bufio.Reader
}

func (d *daemon) keep() *kept {
	d.t.Helper()
	c, err := net.Dial("tcp", d.addr)
	check(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	check(d.t, c.SetDeadline(time.Now().Add(patience)))
	return &kept{d.t, c, bufio.NewReader(c)}
}

// asking gives the text of a request that may be made.
func (d *daemon) asking(method, path, body string, headers ...string) string {
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: localhost", "Authorization: Bearer " + d.token}, headers...)
	if body != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func (d *daemon) predicting(model, body string, headers ...string) string {
	return d.asking("POST", "/v1/projects/hearth/models/"+model+":predict", body, headers...)
}

// ask sends a request, or several, and gives one answer with its body.
func (k *kept) ask(text string) (answer *http.Response, body string, err error) {
	if _, err := io.WriteString(k.c, text); err != nil {
		return nil, "", err
	}
	return k.answer()
}

func (k *kept) answer() (answer *http.Response, body string, err error) {
	if answer, err = http.ReadResponse(k.in, nil); err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(answer.Body)
	return answer, string(b), err
}

func (k *kept) expect(text string, status int, want string) {
	k.t.Helper()
	answer, body, err := k.ask(text)
	if err != nil {
		k.t.Fatal(err)
	}
	if answer.StatusCode != status || !strings.Contains(body, want) {
		k.t.Errorf("%d %s, want %d %s", answer.StatusCode, body, status, want)
	}
}

// lent is how many connections the workers answer by themselves.
func (d *daemon) lent() int {
	d.t.Helper()
	_, status := d.call("GET", "/hearth/v1/status", "")
	n := 0
	for _, v := range status["versions"].([]any) {
		n += int(v.(map[string]any)["lent"].(float64))
	}
	return n
}

const half = `{"instances":[1.0]}`

// No client can tell who answers it: conversations are the same to the byte, dates
// and lengths of time apart, whether connections are handed over or not.
func TestHandover_NoClientCanTell(t *testing.T) {
	handed := newDaemon(t)
	framed := newDaemon(t, "[predict]", "hand_over = false")
	for _, d := range []*daemon{handed, framed} {
		d.model("half", "half_plus_two")
	}
	long := `{"instances":[` + strings.Repeat("1.0,", 40_000) + `1.0]}`
	tfserving := func(d *daemon, body string) string { return d.asking("POST", "/v1/models/half:predict", body) }
	for name, talk := range map[string]func(d *daemon) (text string, answers int){
		"one":         func(d *daemon) (string, int) { return d.predicting("half", half), 1 },
		"pipelined":   func(d *daemon) (string, int) { return strings.Repeat(d.predicting("half", half), 5), 5 },
		"a long body": func(d *daemon) (string, int) { return d.predicting("half", long), 1 },
		"in gzip":     func(d *daemon) (string, int) { return d.predicting("half", long, "Accept-Encoding: gzip"), 1 },
		"bad instances": func(d *daemon) (string, int) {
			return d.predicting("half", `{"instances":["x"]}`) + d.predicting("half", half), 2
		},
		"no JSON": func(d *daemon) (string, int) { return d.predicting("half", half) + d.predicting("half", `[`), 2 },
		"httpBody": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.predicting("half", `{"httpBody":{"data":"eyJpbnN0YW5jZXMiOlsxXX0="}}`), 2
		},
		"of a version": func(d *daemon) (string, int) {
			return d.asking("POST", "/v1/projects/hearth/models/half/versions/v1:predict?alt=json", half), 1
		},
		"other requests": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.asking("GET", "/v1/projects/hearth/models/none", "") + d.predicting("half", half), 3
		},
		"other models": func(d *daemon) (string, int) { return d.predicting("half", half) + d.predicting("none", half), 2 },
		"other versions": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.asking("POST", "/v1/projects/hearth/models/half/versions/v9:predict", half), 2
		},
		"other projects": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.asking("POST", "/v1/projects/p/models/half:predict", half), 2
		},
		"other tokens": func(d *daemon) (string, int) {
			return d.predicting("half", half) + strings.Replace(d.predicting("half", half), d.token, "nobody's", 1), 2
		},
		"other names": func(d *daemon) (string, int) {
			return d.predicting("half", half) + strings.Replace(d.predicting("half", half), "localhost", "elsewhere", 1), 2
		},
		"unknown parameters": func(d *daemon) (string, int) {
			return d.predicting("half", half) + strings.Replace(d.predicting("half", half), ":predict", ":predict?colour=red", 1), 2
		},
		"a page": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.predicting("half", half, "Origin: http://evil"), 2
		},
		"chunked": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.predicting("half", "", "Transfer-Encoding: chunked") + "13\r\n" + half + "\r\n0\r\n\r\n", 2
		},
		"a client's time": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.predicting("half", half, "X-Server-Timeout: 5"), 2
		},
		"close": func(d *daemon) (string, int) {
			return d.predicting("half", half) + d.predicting("half", half, "Connection: close"), 2
		},
		"too large": func(d *daemon) (string, int) {
			return d.predicting("half", half) + strings.Replace(d.predicting("half", half), "Length: 19", "Length: 1000000000", 1), 2
		},
		"a bad head": func(d *daemon) (string, int) {
			return d.predicting("half", half) + "POST / HTTP/1.1\r\nHost : x\r\n\r\n", 2
		},
		"TensorFlow Serving":     func(d *daemon) (string, int) { return strings.Repeat(tfserving(d, `{"instances":[1],"x":1}`), 2), 2 },
		"TensorFlow Serving bad": func(d *daemon) (string, int) { return strings.Repeat(tfserving(d, `{"instances":[]}`), 2), 2 },
		"both dialects": func(d *daemon) (string, int) {
			return d.predicting("half", half) + tfserving(d, half) + d.predicting("half", half), 3
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := transcript(t, handed, talk), transcript(t, framed, talk)
			if got != want {
				t.Errorf("handed over:\n%s\nframed:\n%s", got, want)
			}
		})
	}
	k := handed.keep()
	k.expect(handed.predicting("half", half), 200, "2.5")
	if handed.lent() == 0 || framed.lent() != 0 {
		t.Errorf("%d and %d connections are lent", handed.lent(), framed.lent())
	}
}

var changing = regexp.MustCompile(`Date: [^\r]*|dur=[0-9.]+`)

// transcript holds a conversation, and gives what the client got, in the order of
// its headers' names.
func transcript(t *testing.T, d *daemon, talk func(d *daemon) (string, int)) string {
	t.Helper()
	k := d.keep()
	text, answers := talk(d)
	_, err := io.WriteString(k.c, text)
	check(t, err)
	var b bytes.Buffer
	for range answers {
		answer, body, err := k.answer()
		check(t, err)
		fmt.Fprintf(&b, "%s\nlength %d close %v %v\n", answer.Status, answer.ContentLength, answer.Close, answer.TransferEncoding)
		check(t, answer.Header.Write(&b))
		fmt.Fprintf(&b, "%s\n", body)
	}
	return strings.ReplaceAll(changing.ReplaceAllString(b.String(), ""), d.addr, "ADDR")
}

// A worker that is killed under load closes no idle connection; requests that it has
// not answered get 503, and the next ones succeed.
func TestHandover_KilledUnderLoad(t *testing.T) {
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	const connections, busy = 1000, 16
	all := make([]*kept, connections)
	for i := range all {
		all[i] = d.keep()
		all[i].expect(d.predicting("half", half), 200, "2.5")
	}
	if n := d.lent(); n != connections {
		t.Errorf("%d of %d connections are lent", n, connections)
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	counts := &tally{}
	for i := range busy {
		load.Go(func() {
			k := all[i]
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, _, err := k.ask(d.predicting("half", half))
				if err != nil {
					t.Errorf("a connection under load: %v", err)
					return
				}
				if counts.add(answer.StatusCode, 0); answer.Close {
					k = d.keep()
				}
			}
		})
	}
	for range 3 {
		counts.await(t, 200, counts.count(200)+200)
		pid := d.worker("half")
		check(t, syscall.Kill(pid, syscall.SIGKILL))
		counts.await(t, 503, counts.count(503)+1)
		counts.await(t, 200, counts.count(200)+200)
	}
	close(stop)
	load.Wait()
	if bad := counts.others(200, 503); len(bad) > 0 {
		t.Errorf("answers %v", bad)
	}
	for _, k := range all[busy:] {
		k.expect(d.predicting("half", half), 200, "2.5")
	}
}

// Every request that begins when setDefault has returned goes to the new default
// version, on connections that were lent before as well; and none fails.
func TestHandover_DefaultSwitches(t *testing.T) {
	d := newDaemon(t)
	d.model("m", "half_plus_two")
	d.must("versions", "create", "v2", "--model", "m", "--origin", "gs://models/half_plus_two/1", "--runtime-version", "2.21")
	const v1, v2 = "/v1/projects/hearth/models/m/versions/v1", "/v1/projects/hearth/models/m/versions/v2"
	stop := make(chan struct{})
	var load sync.WaitGroup
	counts := &tally{}
	for range 8 {
		k := d.keep()
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, body, err := k.ask(d.predicting("m", half))
				if err != nil || answer.StatusCode != 200 || !strings.Contains(body, "2.5") {
					t.Errorf("%v %s %v", answer, body, err)
					return
				}
				counts.add(200, 0)
			}
		})
	}
	for i := range 100 {
		version := v2
		if i%2 == 1 {
			version = v1
		}
		if status, answer := d.call("POST", version+":setDefault", "{}"); status != 200 {
			t.Fatalf("setDefault: %d %v", status, answer)
		}
		counts.await(t, 200, counts.count(200)+8)
	}
	close(stop)
	load.Wait()
	if bad := counts.others(200); len(bad) > 0 {
		t.Errorf("answers %v", bad)
	}
}

// A default version that changes, or goes away, is so at once on connections that
// were lent.
func TestHandover_ChangesAreSeenAtOnce(t *testing.T) {
	d := newDaemon(t)
	d.model("m", "half_plus_two")
	d.model("other", "mlp_784_512_512_10")
	d.must("versions", "create", "v2", "--model", "m", "--origin", "gs://models/mlp_784_512_512_10/1", "--runtime-version", "2.21")
	k := d.keep()
	for range 20 {
		k.expect(d.predicting("m", half), 200, "2.5")
		d.call("POST", "/v1/projects/hearth/models/m/versions/v2:setDefault", "{}")
		k.expect(d.predicting("m", half), 400, "Prediction failed")
		d.call("POST", "/v1/projects/hearth/models/m/versions/v1:setDefault", "{}")
	}
	named := d.asking("POST", "/v1/projects/hearth/models/m/versions/v2:predict", half)
	k.expect(named, 400, "Prediction failed")
	d.must("versions", "delete", "v2", "--model", "m", "--quiet")
	k.expect(named, 404, "NOT_FOUND")
	k.expect(d.predicting("m", half), 200, "2.5")
}

// Connections outlive the daemon, are answered while there is none, and come to the
// next one.
func TestHandover_DaemonKilled(t *testing.T) {
	d := newDaemon(t)
	d.model("m", "half_plus_two")
	d.must("versions", "create", "v2", "--model", "m", "--origin", "gs://models/half_plus_two/1", "--runtime-version", "2.21")
	k := d.keep()
	k.expect(d.predicting("m", half), 200, "2.5")
	d.kill()
	for range 10 {
		k.expect(d.predicting("m", half), 200, "2.5")
	}
	d.start()
	d.waitReady()
	k.expect(d.predicting("m", half), 200, "2.5")
	k.expect(d.asking("GET", "/v1/projects/hearth/models/m", ""), 200, "defaultVersion")
	k.expect(d.predicting("m", half), 200, "2.5")
	if d.lent() == 0 {
		t.Error("the connection is not lent again")
	}
}
