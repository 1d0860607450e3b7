package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func jobsDescribeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "Show a job",
		ArgsUsage: "JOB",
		Description: `With --usage it draws what each replica used of processors, memory, disk and GPUs over time; with --format json or yaml it prints the numbers.

With --lineage it also shows which objects the job has read and written, and with --format table only these.

Examples:

$ hearth jobs describe digits_1
$ hearth jobs describe digits_1 --usage
$ hearth jobs describe digits_1 --lineage --format table`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "usage", Usage: "draw what the job's replicas used over time"},
			&cli.BoolFlag{Name: "lineage", Usage: "show what the job has read and written in the bucket"},
		},
		Action: func(c *cli.Context) error {
			id, err := word(c, "JOB")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			if c.Bool("usage") {
				return describeUsage(c, daemon, id)
			}
			job, err := daemon.Job(c.Context, id)
			if err != nil {
				return err
			}
			if !c.Bool("lineage") {
				return printValue(c, job)
			}
			lineage, err := daemon.JobLineage(c.Context, id)
			if err != nil {
				return err
			}
			if c.String("format") == "table" {
				return printLineage(c, lineage)
			}
			return printValue(c, struct {
				*ml.Job
				Lineage *ml.Lineage `json:"lineage"`
			}{job, lineage})
		},
	}
}

func describeUsage(c *cli.Context, daemon *client.Client, id string) error {
	usage, err := daemon.JobUsage(c.Context, id)
	if err != nil {
		return err
	}
	if c.IsSet("format") {
		return printValue(c, usage)
	}
	drawUsage(c.App.Writer, usage, !isTerminal(c.App.Writer))
	return nil
}

// lineageRow is a line of the table of what a job has read and written.
type lineageRow struct {
	direction string
	ml.LineageObject
}

func printLineage(c *cli.Context, lineage *ml.Lineage) error {
	var all []lineageRow
	for _, o := range lineage.Reads {
		all = append(all, lineageRow{"READ", o})
	}
	for _, o := range lineage.Writes {
		all = append(all, lineageRow{"WRITE", o})
	}
	return printList(c, all,
		column[lineageRow]{"DIRECTION", func(r lineageRow) string { return r.direction }},
		column[lineageRow]{"OBJECT", func(r lineageRow) string { return "gs://" + r.Bucket + "/" + r.Name }},
		column[lineageRow]{"GENERATION", func(r lineageRow) string { return strconv.FormatInt(int64(r.Generation), 10) }},
		column[lineageRow]{"BYTES", func(r lineageRow) string { return strconv.FormatInt(int64(r.Bytes), 10) }})
}
