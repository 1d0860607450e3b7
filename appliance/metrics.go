package appliance

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hearth/serving"
	"hearth/serving/frame"
)

// metrics is the handler of /metrics, in the format of Prometheus.
func (a *Appliance) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(batchPredictions{a.scheduler}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), predictions{a.serving})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

var (
	versionLabels   = []string{"project", "model", "version", "replica"}
	descRequests    = prometheus.NewDesc("hearth_predict_requests_total", "Predictions answered by the version's worker, by HTTP status.", append(versionLabels, "code"), nil)
	descSeconds     = prometheus.NewDesc("hearth_predict_seconds", "Time from a request's arrival at the worker to its answer.", versionLabels, nil)
	descPhase       = prometheus.NewDesc("hearth_predict_phase_seconds", "The parts of that time for requests that were run: parse, queue, run, format.", append(versionLabels, "phase"), nil)
	descRows        = prometheus.NewDesc("hearth_predict_run_instances", "Instances per session run; those of several requests where they share one.", versionLabels, nil)
	descInFlight    = prometheus.NewDesc("hearth_predict_in_flight", "Predictions under way or waiting.", versionLabels, nil)
	descMemory      = prometheus.NewDesc("hearth_version_memory_bytes", "Memory that the version's worker holds, beside the files that it maps.", versionLabels, nil)
	descConnections = prometheus.NewDesc("hearth_predict_connections", "Connections of clients that the version's worker answers by itself.", versionLabels, nil)
)

// predictions collects what the workers of versions have done. They are asked when
// somebody looks, so nothing is counted twice.
type predictions struct{ manager *serving.Manager }

// Describe implements prometheus.Collector.
func (p predictions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRequests, descSeconds, descPhase, descRows, descInFlight, descConnections, descMemory} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p predictions) Collect(ch chan<- prometheus.Metric) {
	for _, s := range p.manager.Stats(context.Background()) {
		of := []string{s.Project, s.Model, s.Version, strconv.Itoa(s.Replica)}
		for status, n := range s.Requests {
			ch <- prometheus.MustNewConstMetric(descRequests, prometheus.CounterValue, float64(n), append(of, strconv.Itoa(status))...)
		}
		for phase, h := range s.Phases {
			if phase == "total" {
				ch <- constHistogram(descSeconds, h, frame.TimeBound, of...)
				continue
			}
			ch <- constHistogram(descPhase, h, frame.TimeBound, append(of, phase)...)
		}
		ch <- constHistogram(descRows, s.Rows, frame.RowBound, of...)
		ch <- prometheus.MustNewConstMetric(descInFlight, prometheus.GaugeValue, float64(s.InFlight), of...)
		ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(s.Connections), of...)
		ch <- prometheus.MustNewConstMetric(descMemory, prometheus.GaugeValue, float64(s.Memory), of...)
	}
}

func constHistogram(d *prometheus.Desc, h frame.Histogram, bound func(int) float64, labels ...string) prometheus.Metric {
	buckets, count := make(map[float64]uint64, frame.Buckets), uint64(0)
	for i, n := range h.Counts {
		if count += n; i < frame.Buckets {
			buckets[bound(i)] = count
		}
	}
	return prometheus.MustNewConstHistogram(d, count, h.Sum, buckets, labels...)
}
