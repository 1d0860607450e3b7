package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"hearth/ml"
)

// chartWidth is how many columns a chart has.
const chartWidth = 60

// bars are the heights of a column, from nothing to full; plainBars are for
// where there may be no other characters.
var (
	bars      = []rune(" ▁▂▃▄▅▆▇█")
	plainBars = []rune(" .:-=+*#@")
)

func barHeights(plain bool) []rune {
	if plain {
		return plainBars
	}
	return bars
}

// drawUsage draws what each replica of a job used as lines of columns.
func drawUsage(w io.Writer, u *ml.Usage, plain bool) {
	for i, r := range u.Replicas {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if len(r.Seconds) == 0 {
			fmt.Fprintf(w, "%s: nothing was noted yet\n", r.Task)
			continue
		}
		fmt.Fprintf(w, "%s: %.0f s from %s\n", r.Task, r.Seconds[len(r.Seconds)-1], timeText(r.Start))
		draw := func(name string, values []float64, format func(float64) string) {
			if len(values) > 0 {
				drawLine(w, name, r.Seconds, values, plain, format)
			}
		}
		draw("CPU", r.CPU, func(v float64) string { return fmt.Sprintf("%.2f processors", v) })
		draw("memory", floats(r.Memory), func(v float64) string { return byteText(v) })
		draw("disk", floats(r.Disk), func(v float64) string { return byteText(v) })
		draw("GPU", r.GPUUtilization, func(v float64) string { return fmt.Sprintf("%.0f %%", v) })
		draw("GPU memory", floats(r.GPUMemory), func(v float64) string { return byteText(v) })
	}
}

// drawLine draws one curve: a column shows the highest value of its time.
func drawLine(w io.Writer, name string, seconds, values []float64, plain bool, format func(float64) string) {
	heights := barHeights(plain)
	end, highest, sum := max(seconds[len(seconds)-1], 1e-9), slices.Max(values), 0.0
	columns := make([]float64, chartWidth)
	at, before := 0, 0.0
	for i, v := range values {
		last := min(chartWidth-1, int(seconds[i]/end*chartWidth))
		for ; at <= last; at++ {
			columns[at] = v
		}
		columns[last] = max(columns[last], v)
		sum += v * (seconds[i] - before)
		before = seconds[i]
	}
	var line strings.Builder
	for _, v := range columns {
		level := 0
		if highest > 0 {
			level = int(v/highest*float64(len(heights)-1) + 0.5)
		}
		line.WriteRune(heights[level])
	}
	fmt.Fprintf(w, "  %-10s |%s| at most %s, %s on average\n", name, line.String(), format(highest), format(sum/end))
}

func floats(values []int64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// byteText says a size for people.
func byteText(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
