package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"hearth/cli/client"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "Ask a model",
		ArgsUsage: "--model MODEL [--version VERSION] (--json-instances | --text-instances | --json-request) FILE",
		Description: `FILE is "-" for standard input. --json-instances takes a JSON value a line, --text-instances a string a line, --json-request a whole request: {"instances": [...]}.

Examples:

$ hearth predict --model digits --json-instances images.json
$ echo '{"instances": [[1, 2, 3]]}' | hearth predict --model digits --version v1 --json-request - --format json`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`MODEL` to ask (required)"},
			&cli.StringFlag{Name: "version", Usage: "`VERSION` to ask (default: the model's default version)"},
		}, bodyFlags()...),
		Action: predict,
	}
}

// bodyFlags are what predictBody makes a request of.
func bodyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "json-instances", Usage: "`FILE` with a JSON value a line"},
		&cli.StringFlag{Name: "text-instances", Usage: "`FILE` with a string a line"},
		&cli.StringFlag{Name: "json-request", Usage: "`FILE` with the request"},
		&cli.StringFlag{Name: "signature-name", Usage: "`SIGNATURE` of the SavedModel (default serving_default)"},
	}
}

func predict(c *cli.Context) error {
	if _, err := words(c); err != nil {
		return err
	}
	model, err := required(c, "model")
	if err != nil {
		return err
	}
	body, err := predictBody(c)
	if err != nil {
		return err
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	answer, err := daemon.Predict(c.Context, client.PredictRequest{Model: model, Version: c.String("version"), Body: body})
	if err != nil {
		return err
	}
	return printPredictions(c, answer)
}

// predictBody makes the request of the one flag that names a file.
func predictBody(c *cli.Context) (json.RawMessage, error) {
	var flag string
	for _, f := range []string{"json-instances", "text-instances", "json-request"} {
		if c.IsSet(f) && flag != "" {
			return nil, misuse(c, "--%s and --%s exclude each other", flag, f)
		}
		if c.IsSet(f) {
			flag = f
		}
	}
	if flag == "" {
		return nil, misuse(c, "--json-instances, --text-instances or --json-request is missing")
	}
	content, err := readInput(c, c.String(flag))
	if err != nil {
		return nil, err
	}
	request := map[string]json.RawMessage{}
	if flag == "json-request" {
		if err := json.Unmarshal(content, &request); err != nil {
			return nil, misuse(c, "--json-request %s is not a JSON object: %v", c.String(flag), err)
		}
	} else {
		instances, err := instancesOf(content, flag == "text-instances")
		if err != nil {
			return nil, misuse(c, "--%s %s: %v", flag, c.String(flag), err)
		}
		request["instances"] = instances
	}
	if c.IsSet("signature-name") {
		name, err := json.Marshal(c.String("signature-name"))
		if err != nil {
			return nil, err
		}
		request["signature_name"] = name
	}
	return json.Marshal(request)
}

func readInput(c *cli.Context, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.App.Reader)
	}
	return os.ReadFile(path)
}

// instancesOf makes a JSON list of the lines of a file that are not empty.
func instancesOf(content []byte, text bool) (json.RawMessage, error) {
	list := []json.RawMessage{}
	for i, line := range bytes.Split(content, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if text {
			quoted, err := json.Marshal(string(line))
			if err != nil {
				return nil, err
			}
			line = quoted
		} else if !json.Valid(line) {
			return nil, fmt.Errorf("line %d is not JSON", i+1)
		}
		list = append(list, line)
	}
	return json.Marshal(list)
}

// printPredictions writes a table with a row for each prediction. What cannot
// be read as JSON (a bare NaN) is written as it came.
func printPredictions(c *cli.Context, answer []byte) error {
	var response struct {
		Predictions []json.RawMessage `json:"predictions"`
	}
	format := c.String("format")
	if json.Unmarshal(answer, &response) != nil || (format != "json" && format != "yaml" && len(response.Predictions) == 0) {
		_, err := fmt.Fprintf(c.App.Writer, "%s\n", bytes.TrimSpace(answer))
		return err
	}
	switch format {
	case "json":
		var b bytes.Buffer
		if err := json.Indent(&b, bytes.TrimSpace(answer), "", "  "); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.App.Writer, b.String())
		return err
	case "yaml":
		y, err := yaml.JSONToYAML(answer)
		if err != nil {
			return err
		}
		_, err = c.App.Writer.Write(y)
		return err
	}
	printTable(c.App.Writer, predictionTable(response.Predictions))
	return nil
}

// predictionTable gives predictions a column for each output; predictions that
// are bare values have a single one.
func predictionTable(predictions []json.RawMessage) [][]string {
	var names []string
	objects := make([]map[string]json.RawMessage, len(predictions))
	for i, p := range predictions {
		if json.Unmarshal(p, &objects[i]) != nil || objects[i] == nil {
			table := [][]string{{"PREDICTIONS"}}
			return append(table, rows(predictions, func(p json.RawMessage) []string { return []string{cellOf(p)} })...)
		}
		for name := range objects[i] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	titles := make([]string, len(names))
	for i, n := range names {
		titles[i] = strings.ToUpper(n)
	}
	table := [][]string{titles}
	for _, o := range objects {
		row := make([]string, len(names))
		for i, n := range names {
			row[i] = cellOf(o[n])
		}
		table = append(table, row)
	}
	return table
}
