package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkBatch measures batch predictions, their start included: jobs of two sizes
// tell the rate from what every job costs.
func BenchmarkBatch(b *testing.B) {
	d := newDaemon(b)
	for _, c := range []struct {
		model, tag, signature, format string
		rows                          int
	}{
		{"widedeep_tabular", "_b24", "", "JSON", 2_000_000},
		{"widedeep_tabular", "_predict_examples_b4", "predict_examples", "TF_RECORD", 1_000_000},
		{"mlp_784_512_512_10", "_b32", "", "JSON", 200_000},
		{"mobilenetv2_224", "_b2", "", "JSON", 300},
		{"mobilenetv2_224", "_serving_jpeg_b8", "serving_jpeg", "TF_RECORD", 1000},
	} {
		b.Run(c.model+"_"+c.format, func(b *testing.B) {
			if status, _ := d.call("GET", "/v1/projects/hearth/models/"+c.model, ""); status == 404 {
				d.model(c.model, c.model)
			}
			lines, _ := requestRows(b, c.model, c.tag)
			once := encodeRecords(b, lines, c.format)
			folder := c.model + c.format
			run := func(size string, rows int) time.Duration {
				d.fillBucket("lots", map[string]string{folder + "/" + size: strings.Repeat(once, rows/len(lines))})
				job := strings.ReplaceAll(fmt.Sprintf("bench_%s_%s", folder, size), "-", "_")
				began := time.Now()
				d.submitPrediction(job, predictionJob{
					"modelName": "projects/hearth/models/" + c.model, "dataFormat": c.format, "signatureName": c.signature, "region": "here",
					"inputPaths": []string{"gs://lots/" + folder + "/" + size}, "outputPath": "gs://lots/out_" + folder + size,
				})
				for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
					_, got := d.call("GET", "/v1/projects/hearth/jobs/"+job, "")
					if got["state"] == "SUCCEEDED" {
						tick.Stop()
						return time.Since(began)
					}
					if got["endTime"] != nil {
						b.Fatal(got)
					}
				}
			}
			for b.Loop() {
				start := run("small", len(lines))
				took := run("large", c.rows)
				b.ReportMetric(start.Seconds(), "s-start")
				b.ReportMetric(float64(c.rows)/(took-start).Seconds(), "instances/s")
				b.ReportMetric(float64(len(once)*(c.rows/len(lines)))/(took-start).Seconds()/1e6, "MB/s")
			}
		})
	}
}
