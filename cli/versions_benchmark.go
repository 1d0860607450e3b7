package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/cli/load"
	"hearth/ml"
)

// benchmarkLoads are the parts of what a version can answer at most that it is
// asked for in turn.
var benchmarkLoads = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

func versionsBenchmarkCommand() *cli.Command {
	return &cli.Command{
		Name:      "benchmark",
		Usage:     "Measure how fast a version answers",
		ArgsUsage: "VERSION --model MODEL (--json-instances | --text-instances | --json-request) FILE",
		Description: `Sends the one request again and again: first as fast as answers come, which shows how many a second the version can answer, then at 10, 30, 50, 70 and 90 % of that, whether answers come or not, as many independent clients would. Times count from when a request was due. With --rate it is sent at that rate only.

The client needs processor time too: run it on another machine to see what the daemon's can do alone.

Examples:

$ hearth versions benchmark v1 --model digits --json-instances images.json
$ hearth versions benchmark v1 --model digits --json-request request.json --rate 1000 --duration 30s --format json`,
		Flags: slices.Concat([]cli.Flag{modelFlag()}, bodyFlags(), []cli.Flag{
			&cli.Float64Flag{Name: "rate", Usage: "`RATE` in requests a second"},
			&cli.DurationFlag{Name: "duration", Value: 5 * time.Second, Usage: "`TIME` that each rate is kept up"},
			&cli.IntFlag{Name: "connections", Value: 16, Usage: "most requests under way at once, a `NUMBER` up to 64"},
		}),
		Action: versionsBenchmark,
	}
}

func versionsBenchmark(c *cli.Context) error {
	model, name, daemon, err := atVersion(c)
	if err != nil {
		return err
	}
	base := load.Load{Connections: c.Int("connections"), Duration: c.Duration("duration")}
	switch {
	case base.Connections < 1 || base.Connections > client.MaxConnections:
		return misuse(c, "--connections is not between 1 and %d", client.MaxConnections)
	case base.Duration <= 0:
		return misuse(c, "--duration is not longer than 0")
	case c.Float64("rate") < 0:
		return misuse(c, "--rate is below 0")
	}
	body, err := predictBody(c)
	if err != nil {
		return err
	}
	base.Ask = func(ctx context.Context, _ int, _ int64) error {
		_, err := daemon.Predict(ctx, client.PredictRequest{Model: model, Version: name, Body: body})
		return err
	}
	if err := base.Ask(c.Context, 0, 0); err != nil {
		return err // a request that cannot be answered need not be sent again and again
	}
	rows, err := benchmarkRows(c, base)
	if err != nil {
		return err
	}
	if f := c.String("format"); f != "" && f != "table" {
		return printValue(c, rows)
	}
	printBenchmark(c.App.Writer, rows)
	return nil
}

// benchmarkRow is how the version answered at one rate. Times are in
// milliseconds.
type benchmarkRow struct {
	Load      string  `json:"load"`
	Rate      float64 `json:"rate,omitempty"`
	PerSecond float64 `json:"answersPerSecond"`
	P50       float64 `json:"p50"`
	P90       float64 `json:"p90"`
	P99       float64 `json:"p99"`
	Longest   float64 `json:"longest"`
	Errors    int     `json:"errors"`
	FirstErr  string  `json:"firstError,omitempty"`

	result load.Result
}

func benchmarkRows(c *cli.Context, base load.Load) ([]benchmarkRow, error) {
	one := func(name string, rate float64) benchmarkRow {
		l := base
		l.Rate = rate
		return newBenchmarkRow(name, l, l.Run(c.Context))
	}
	if rate := c.Float64("rate"); rate > 0 {
		return []benchmarkRow{one("rate", rate)}, c.Context.Err()
	}
	rows := []benchmarkRow{one("all it can", 0)}
	if len(rows[0].result.Times) == 0 {
		return nil, ml.Errorf(ml.Unavailable, "no request was answered: %s", rows[0].FirstErr)
	}
	for _, part := range benchmarkLoads {
		if c.Context.Err() != nil {
			return nil, c.Context.Err()
		}
		rows = append(rows, one(fmt.Sprintf("%.0f %%", 100*part), part*rows[0].PerSecond))
	}
	return rows, c.Context.Err()
}

func newBenchmarkRow(name string, l load.Load, r load.Result) benchmarkRow {
	ms := func(q float64) float64 { return math.Round(float64(r.Quantile(q))/1e3) / 1e3 }
	row := benchmarkRow{
		Load: name, Rate: math.Round(l.Rate), PerSecond: math.Round(float64(len(r.Times)) / l.Duration.Seconds()),
		P50: ms(0.5), P90: ms(0.9), P99: ms(0.99), Longest: ms(1), Errors: r.Failed, result: r,
	}
	if r.FirstErr != nil && !errors.Is(r.FirstErr, context.Canceled) {
		row.FirstErr = r.FirstErr.Error()
	}
	return row
}

// printBenchmark writes a table with a histogram in each line, over a scale of
// times that they share.
func printBenchmark(w io.Writer, rows []benchmarkRow) {
	shortest, longest := time.Duration(math.MaxInt64), time.Duration(1)
	for _, r := range rows {
		if len(r.result.Times) > 0 {
			shortest, longest = min(shortest, r.result.Quantile(0)), max(longest, r.result.Quantile(1))
		}
	}
	scale := histogramScale{max(1, float64(min(shortest, longest))), float64(longest)}
	table := [][]string{{"LOAD", "RATE", "ANSWERS/S", "P50", "P90", "P99", "LONGEST", "ERRORS", "FROM " + latencyText(scale.from) + " TO " + latencyText(scale.to)}}
	for _, r := range rows {
		rate := ""
		if r.Rate > 0 {
			rate = fmt.Sprintf("%.0f", r.Rate)
		}
		table = append(table, []string{
			r.Load, rate, fmt.Sprintf("%.0f", r.PerSecond), latencyText(r.P50 * 1e6), latencyText(r.P90 * 1e6), latencyText(r.P99 * 1e6), latencyText(r.Longest * 1e6),
			countText(r.Errors), "|" + scale.draw(r.result.Times, !isTerminal(w)) + "|",
		})
	}
	printTable(w, table)
	for _, r := range rows {
		if r.FirstErr != "" {
			fmt.Fprintf(w, "At %s, the first failure: %s\n", r.Load, r.FirstErr)
		}
	}
}

func latencyText(ns float64) string {
	switch {
	case ns >= 1e9:
		return fmt.Sprintf("%.2f s", ns/1e9)
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

// histogramScale is a logarithmic scale of times in nanoseconds.
type histogramScale struct{ from, to float64 }

// draw gives a column for each part of the scale, as high as the times in it are
// many.
func (s histogramScale) draw(times []time.Duration, plain bool) string {
	const width = 40
	var counts [width]float64
	most := 0.0
	span := math.Log(s.to / s.from)
	for _, t := range times {
		column := 0
		if span > 0 {
			column = int(math.Log(float64(t)/s.from) / span * width)
		}
		column = max(0, min(width-1, column))
		counts[column]++
		most = max(most, counts[column])
	}
	heights := barHeights(plain)
	var line strings.Builder
	for _, n := range counts {
		level := 0
		if n > 0 {
			level = 1 + int(n/most*float64(len(heights)-2))
		}
		line.WriteRune(heights[level])
	}
	return line.String()
}
