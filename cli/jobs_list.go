package cli

import (
	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func jobsListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "List jobs, newest first",
		Description: `
Examples:

$ hearth jobs list
$ hearth jobs list --limit 5 --format json`,
		Flags: []cli.Flag{limitFlag()},
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			jobs, err := daemon.Jobs(c.Context, c.Int("limit"))
			if err != nil {
				return err
			}
			return printList(c, jobs,
				column[*ml.Job]{"JOB_ID", func(j *ml.Job) string { return j.JobID }},
				column[*ml.Job]{"STATUS", func(j *ml.Job) string { return string(j.State) }},
				column[*ml.Job]{"CREATED", func(j *ml.Job) string { return timeText(j.CreateTime) }},
			)
		},
	}
}

func limitFlag() cli.Flag {
	return &cli.IntFlag{Name: "limit", Usage: "show at most `N`"}
}

// timeText writes a time for people, in their own zone.
func timeText(t ml.Timestamp) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02T15:04:05")
}
