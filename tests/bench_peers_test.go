package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// peersModel is a model that all servers serve, and what is wanted of Hearth
// beside the best of them.
type peersModel struct {
	name, input string
	length      time.Duration // of each measurement
	rate, p50   float64       // Hearth's by the best peer's: at least, at most
}

var peersModels = []peersModel{
	{"half_plus_two", "x", 2 * time.Second, 10, 1. / 5},
	{"mlp_784_512_512_10", "image", 2 * time.Second, 6, 1. / 2},
	{"mobilenetv2_224", "input_1", 6 * time.Second, 1.8, 0.65},
}

// The peers by the names of their venvs, and the protocol of their requests.
var peersNames = []struct {
	name string
	v2   bool
}{{"fastapi", false}, {"litserve", false}, {"mlserver", true}, {"kserve", false}, {"bentoml", false}, {"ray", false}, {"triton", true}}

// beside is a peer and Hearth, measured in turn; failed is why there is nothing.
type beside struct {
	peer        string
	its, hearth rounds // of one connection for the times, of 16 for the rate
	failed      error
}

// BenchmarkPeers asks Hearth and other model servers, in turn and with the same
// TensorFlow, for the same predictions, and prints a table: make bench-peers.
// One peer runs at a time, and none runs when Hearth's models are loaded.
func BenchmarkPeers(b *testing.B) {
	venvs := fromEnv(b, "HEARTH_BENCH_PEERS")
	d := newDaemon(b)
	for _, m := range peersModels {
		b.Run(m.name, func(b *testing.B) {
			d.model(m.name, m.name)
			hearth := d.servedAs(m.name)
			check(b, m.verify(b, hearth))
			var all []beside
			for _, p := range peersNames {
				b.Run(p.name, func(b *testing.B) {
					all = append(all, besidePeer(b, hearth, &peer{name: p.name, v2: p.v2, venv: filepath.Join(venvs, p.name)}, m))
				})
			}
			m.report(b, all)
		})
	}
}

// besidePeer starts the peer, measures it and Hearth in turn, and stops it.
func besidePeer(b *testing.B, hearth target, p *peer, m peersModel) beside {
	pair := beside{peer: p.version(b)}
	defer p.stop(b)
	theirs, err := p.start(b, m)
	if err == nil {
		pair.its, pair.hearth, err = inTurn(theirs, hearth, m.length)
	}
	pair.failed = err
	return pair
}

// inTurn measures a peer and Hearth in rounds.
func inTurn(theirs, ours target, length time.Duration) (its, hearth rounds, err error) {
	for round := range 1 + 3 { // the first is a warm start
		for t, r := range map[*target]*rounds{&theirs: &its, &ours: &hearth} {
			l, err := t.measure(length)
			if err != nil {
				return nil, nil, err
			}
			if round > 0 {
				*r = append(*r, l)
			}
		}
	}
	return its, hearth, nil
}

// measure gives the latency of one kept connection, and the rate of 16.
func (t target) measure(length time.Duration) (closedLoop, error) {
	one, err := t.load(1, length)
	if err != nil {
		return closedLoop{}, err
	}
	many, err := t.load(16, length)
	one.rate = many.rate
	return one, err
}

// report prints the table of a model, and Hearth by the best peer of each figure.
func (m peersModel) report(b *testing.B, all []beside) {
	fmt.Printf("\n%s\n", m.name)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "peer\tp50 ms\tp99 ms\treq/s at 16\tHearth p50 ms\tp99 ms\treq/s at 16\t")
	var fastest, busiest *beside
	for i, r := range all {
		if r.failed != nil {
			continue
		}
		fmt.Fprintf(w, "%s\t%s%s\n", r.peer, r.its.row(), r.hearth.row())
		if fastest == nil || r.its.p50() < fastest.its.p50() {
			fastest = &all[i]
		}
		if busiest == nil || r.its.rate() > busiest.its.rate() {
			busiest = &all[i]
		}
	}
	w.Flush()
	for _, r := range all {
		if r.failed != nil {
			fmt.Printf("%s: NOT MEASURED: %v\n", r.peer, r.failed)
		}
	}
	if fastest == nil {
		return
	}
	rate := busiest.hearth.rate() / busiest.its.rate()
	p50 := float64(fastest.hearth.p50()) / float64(fastest.its.p50())
	fmt.Printf("req/s by the best peer's (%s): %.1f (wanted: at least %.1f)\n", busiest.peer, rate, m.rate)
	fmt.Printf("p50 by the best peer's (%s): %.2f (wanted: at most %.2f)\n", fastest.peer, p50, m.p50)
	b.ReportMetric(rate, "rate-to-best-peer")
	b.ReportMetric(p50, "p50-to-best-peer")
}

// row gives the cells of a table.
func (r rounds) row() string {
	return fmt.Sprintf("%.2f\t%.2f\t%.0f\t", ms(r.p50()), ms(r.p99()), r.rate())
}

// version gives what the table calls the peer: the first line of its requirements.
func (p *peer) version(b *testing.B) string {
	text, err := os.ReadFile(filepath.Join(peersFolder, "requirements", p.name+".txt"))
	check(b, err)
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.Replace(first, "==", " ", 1)
}
