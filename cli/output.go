package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"
)

// column is one column of a table of T.
type column[T any] struct {
	title string
	value func(T) string
}

// printList writes a list: a table unless --format says otherwise.
func printList[T any](c *cli.Context, items []T, columns ...column[T]) error {
	if f := c.String("format"); f != "" && f != "table" {
		return printValue(c, items)
	}
	if len(items) == 0 {
		fmt.Fprintln(c.App.ErrWriter, "Listed 0 items.")
		return nil
	}
	titles := make([]string, len(columns))
	for i, col := range columns {
		titles[i] = col.title
	}
	table := [][]string{titles}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, col := range columns {
			row[i] = col.value(item)
		}
		table = append(table, row)
	}
	printTable(c.App.Writer, table)
	return nil
}

// printTable writes rows in columns, the first one being the titles. States
// are coloured on a terminal.
func printTable(w io.Writer, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range table {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(colour(w, stateColours[cell], cell))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// printValue writes one thing: YAML unless --format says otherwise.
func printValue(c *cli.Context, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	switch c.String("format") {
	case "json":
		_, err := c.App.Writer.Write(b.Bytes())
		return err
	case "table":
		return printProperties(c.App.Writer, b.Bytes())
	}
	y, err := yaml.JSONToYAML(b.Bytes())
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	_, err = c.App.Writer.Write(y)
	return err
}

// printProperties writes a JSON object as a table of its fields.
func printProperties(w io.Writer, object []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		_, err := w.Write(object)
		return err
	}
	table := [][]string{{"FIELD", "VALUE"}}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		table = append(table, []string{name, cellOf(fields[name])})
	}
	printTable(w, table)
	return nil
}

// cellOf writes a JSON value on one line; strings lose their quotes.
func cellOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// checkFormat refuses a --format that there is not, before anything is done.
func checkFormat(c *cli.Context) error {
	switch c.String("format") {
	case "", "json", "yaml", "table":
		return nil
	}
	return misuse(c, "--format %s: use json, yaml or table", c.String("format"))
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n)/1024, "KMGTP"
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", f, units[0])
}
