package tests

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkServingBesideLoading asks a version at 30 % of what it can answer: with
// nothing else going on, and in turn with that while another version is loaded, is
// killed, comes back and is unloaded, again and again, and while the default version
// is switched, a hundred times in all. ratio is the median p99 meanwhile by the median p99 alone. Every
// request has to be answered.
func BenchmarkServingBesideLoading(b *testing.B) {
	const rounds, span = 7, 4 * time.Second
	n := newAsked(newDaemon(b), "half_plus_two")
	n.must("versions", "create", "v2", "--model", "half_plus_two", "--origin", "gs://models/half_plus_two/1", "--runtime-version", "2.21")
	n.model("other", "mlp_784_512_512_10")
	for range b.N {
		rate := 0.3 * n.capacity(b, time.Second)
		var alone, loading, switching []float64
		loads, switches := 0, 0
		for range rounds {
			alone = append(alone, us(n.p99(b, rate, span)))
			loads += during(time.Millisecond, n.loadOther, func() { loading = append(loading, us(n.p99(b, rate, span))) })
			switches += during(rounds*span/100, n.switchDefault, func() { switching = append(switching, us(n.p99(b, rate, span))) })
		}
		b.Logf("p99 alone %.0f, beside loading %.0f, beside switches %.0f", alone, loading, switching)
		b.ReportMetric(rate, "requests/s")
		b.ReportMetric(float64(loads), "loads")
		b.ReportMetric(float64(switches), "switches")
		b.ReportMetric(median(alone), "alone-p99-µs")
		b.ReportMetric(median(loading), "loading-p99-µs")
		b.ReportMetric(median(switching), "switching-p99-µs")
		b.ReportMetric(median(loading)/median(alone), "loading-ratio")
		b.ReportMetric(median(switching)/median(alone), "switching-ratio")
	}
}

// during repeats something, at least once and at most once a pace, while measure
// runs, and says how often it was done.
func during(pace time.Duration, something func(i int), measure func()) int {
	var over atomic.Bool
	done := make(chan int)
	go func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		i := 0
		for i == 0 || !over.Load() {
			<-tick.C
			something(i)
			i++
		}
		done <- i
	}()
	measure()
	over.Store(true)
	return <-done
}

// loadOther makes a version of the other model, kills its worker every second time,
// and deletes it.
func (n *asked) loadOther(i int) {
	n.must("versions", "create", "more", "--model", "other", "--origin", "gs://models/mlp_784_512_512_10/1", "--runtime-version", "2.21")
	if i%2 == 1 {
		check(n.t, syscall.Kill(n.workerOf("other", "more"), syscall.SIGKILL))
	}
	n.must("versions", "delete", "more", "--model", "other", "--quiet")
}

func (n *asked) switchDefault(i int) {
	version := []string{"v2", "v1"}[i%2]
	if status, got := n.call("POST", "/v1/projects/hearth/models/half_plus_two/versions/"+version+":setDefault", "{}"); status != 200 {
		n.t.Errorf("setDefault: %d %v", status, got)
	}
}
