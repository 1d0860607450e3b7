package appliance

import (
	"github.com/prometheus/client_golang/prometheus"

	"hearth/scheduler"
)

var (
	batchLabels          = []string{"project", "job"}
	descBatchPredictions = prometheus.NewDesc("hearth_batch_predictions", "Predictions that a running batch prediction has made.", batchLabels, nil)
	descBatchErrors      = prometheus.NewDesc("hearth_batch_errors", "Records of which a running batch prediction could make none.", batchLabels, nil)
	descBatchBytes       = prometheus.NewDesc("hearth_batch_input_bytes", "Bytes of the input of a running batch prediction, done and in all.", append(batchLabels, "of"), nil)
)

// batchPredictions collects how far the batch predictions are that run.
type batchPredictions struct{ scheduler *scheduler.Scheduler }

// Describe implements prometheus.Collector.
func (b batchPredictions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBatchPredictions, descBatchErrors, descBatchBytes} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (b batchPredictions) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	for _, p := range b.scheduler.Predictions() {
		gauge(descBatchPredictions, p.Predictions, p.Project, p.Job)
		gauge(descBatchErrors, p.Errors, p.Project, p.Job)
		gauge(descBatchBytes, p.Bytes, p.Project, p.Job, "done")
		gauge(descBatchBytes, p.TotalBytes, p.Project, p.Job, "total")
	}
}
