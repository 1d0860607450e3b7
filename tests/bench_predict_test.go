package tests

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"hearth/serving/tensor"
	"hearth/serving/tensorflow"
)

// BenchmarkPredict asks the daemon over kept connections, in turn with the floor
// (servePredictFloor) and with an echo. Which threads are best for a session depends
// on the model and on the load, so the floor stands there twice, and of its figures
// the better ones count. Rounds are interleaved, figures are their medians.
func BenchmarkPredict(b *testing.B) {
	d := newDaemon(b)
	echo := startProgram(b, "HEARTH_BENCH_ECHO")
	for _, c := range []struct {
		model string
		lasts time.Duration // of one load: some hundred requests at least
	}{
		{"half_plus_two", time.Second}, {"widedeep_tabular", time.Second}, {"mlp_784_512_512_10", time.Second}, {"mobilenetv2_224", 4 * time.Second},
	} {
		b.Run(c.model, func(b *testing.B) {
			dir := filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), c.model)
			d.model(c.model, c.model)
			floor := func(interOp, intraOp int) target {
				return target{addr: startPredictFloor(b, filepath.Join(dir, "1"), interOp, intraOp), path: "/", body: requestOf(b, c.model)}
			}
			p := predictLoads{
				lasts:   c.lasts,
				hearth:  d.servedAs(c.model),
				callers: floor(-1, 1),
				pools:   floor(0, 0),
				echo:    target{addr: echo, path: "/", body: requestOf(b, c.model)},
			}
			for _, t := range []target{p.callers, p.pools} {
				t.mustLoad(b, 2, 0) // loads the model
			}
			b.Logf("the session: %s", d.session(c.model))
			for range b.N {
				p.measure(b)
			}
		})
	}
}

// session tells how a model's worker runs it.
func (d *daemon) session(model string) string {
	d.t.Helper()
	var version struct{ Session string }
	check(d.t, json.Unmarshal([]byte(d.must("versions", "describe", "v1", "--model", model, "--format", "json")), &version))
	return version.Session
}

// predictLoads are the servers of one model.
type predictLoads struct {
	lasts                        time.Duration
	hearth, callers, pools, echo target
}

func (p predictLoads) measure(b *testing.B) {
	var hearth, callers, pools, echo, hearth16, callers16, pools16, echo16 rounds
	for range 5 {
		for t, r := range map[*target]*rounds{&p.hearth: &hearth, &p.callers: &callers, &p.pools: &pools, &p.echo: &echo} {
			*r = append(*r, t.mustLoad(b, 1, p.lasts))
		}
		for t, r := range map[*target]*rounds{&p.hearth: &hearth16, &p.callers: &callers16, &p.pools: &pools16, &p.echo: &echo16} {
			*r = append(*r, t.mustLoad(b, 16, p.lasts))
		}
	}
	floor50, floor99 := min(callers.p50(), pools.p50()), min(callers.p99(), pools.p99())
	floorRate := max(callers16.rate(), pools16.rate())
	b.Logf("the floor in its callers' threads: p50 %.0f µs, p99 %.0f µs, %.0f req/s at 16; with pools: %.0f, %.0f, %.0f",
		us(callers.p50()), us(callers.p99()), callers16.rate(), us(pools.p50()), us(pools.p99()), pools16.rate())
	b.ReportMetric(us(hearth.p50()), "p50-µs")
	b.ReportMetric(us(floor50), "floor-p50-µs")
	b.ReportMetric(us(echo.p50()), "echo-p50-µs")
	b.ReportMetric(float64(hearth.p50())/float64(floor50), "p50-ratio")
	b.ReportMetric(us(hearth.p99()), "p99-µs")
	b.ReportMetric(us(floor99), "floor-p99-µs")
	b.ReportMetric(us(echo.p99()), "echo-p99-µs")
	b.ReportMetric(float64(hearth.p99())/float64(floor99), "p99-ratio")
	b.ReportMetric(hearth16.rate(), "req/s-at-16")
	b.ReportMetric(floorRate, "floor-req/s-at-16")
	b.ReportMetric(echo16.rate(), "echo-req/s-at-16")
	b.ReportMetric(hearth16.rate()/floorRate, "req/s-ratio")
}

// BenchmarkPredictTLS asks over a kept connection with TLS, beside a net/http echo
// with TLS and the session run alone.
func BenchmarkPredictTLS(b *testing.B) {
	d := newDaemon(b)
	cert := filepath.Join(b.TempDir(), "cert.pem")
	check(b, writeCertificate(cert))
	addr := startProgram(b, "HEARTH_BENCH_ECHO_TLS", "HEARTH_BENCH_CERT="+cert)
	const model = "half_plus_two"
	d.model(model, model)
	hearth := d.servedAs(model)
	hearth.tls = true
	echo := target{addr: addr, path: "/", token: d.token, body: hearth.body, tls: true}
	run := session(b, model)
	for range b.N {
		var ours, floor rounds
		for range 5 {
			ours, floor = append(ours, hearth.mustLoad(b, 1, time.Second)), append(floor, echo.mustLoad(b, 1, time.Second))
		}
		session := medianOf(2000, run)
		b.ReportMetric(us(ours.p50()), "p50-µs")
		b.ReportMetric(us(ours.p99()), "p99-µs")
		b.ReportMetric(us(floor.p50()), "echo-p50-µs")
		b.ReportMetric(us(floor.p99()), "echo-p99-µs")
		b.ReportMetric(us(session), "session-µs")
		b.ReportMetric(float64(ours.p50())/float64(floor.p50()+session+50*time.Microsecond), "ratio-to-echo+session+50µs")
	}
}

// session gives a function that runs the model once, through the same binding,
// on the tensors of a request of one instance.
func session(b *testing.B, model string) func() {
	check(b, tensorflow.LoadLibrary(os.Getenv("HEARTH_TEST_TENSORFLOW")))
	m, err := tensorflow.Load(filepath.Join(fromEnv(b, "HEARTH_TEST_MODELS"), model, "1"), -1, 0)
	check(b, err)
	b.Cleanup(func() { m.Close() })
	req, err := tensor.Decode(requestOf(b, model), m.Signatures())
	check(b, err)
	return func() {
		_, err := m.Run(context.Background(), req.Signature, req.Inputs)
		check(b, err)
	}
}

// serveEcho answers every request with its body.
func serveEcho(l net.Listener) error { return http.Serve(l, http.HandlerFunc(answerEcho)) }

func serveEchoTLS(l net.Listener) error {
	cert := os.Getenv("HEARTH_BENCH_CERT")
	return http.ServeTLS(l, http.HandlerFunc(answerEcho), cert, cert)
}

func answerEcho(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}
