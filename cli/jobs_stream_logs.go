package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func jobsStreamLogsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stream-logs",
		Usage:     "Follow a job's log until the job ends",
		ArgsUsage: "JOB",
		Description: `Prints the log from its beginning: severity, time, task and message, parted by tabs. The exit status is 0 only if the job ends SUCCEEDED.

Examples:

$ hearth jobs stream-logs digits_1
$ hearth jobs stream-logs digits_1 --task-name master-replica-0`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "task-name", Usage: "only the lines of one `TASK`, such as master-replica-0 or service"},
			&cli.IntFlag{Name: "polling-interval", Value: 1, Usage: "longest pause between two questions, in `SECONDS`"},
			&cli.BoolFlag{Name: "allow-multiline-logs", Usage: "do not split messages of several lines"},
		},
		Action: func(c *cli.Context) error {
			job, err := word(c, "JOB")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			return streamLogs(c, daemon, job)
		},
	}
}

// streamLogs prints a job's log until the job has ended, and the end. A job
// that did not succeed is an error.
func streamLogs(c *cli.Context, daemon *client.Client, id string) error {
	follow := client.Follow{Job: id, Task: c.String("task-name"), Interval: time.Second}
	if n := c.Int("polling-interval"); n > 0 {
		follow.Interval = time.Duration(n) * time.Second
	}
	job, err := daemon.FollowLogs(c.Context, follow, func(e client.LogEntry) error { return printEntry(c, e) })
	if err != nil {
		return err
	}
	if err := printValue(c, jobSummaryOf(job)); err != nil {
		return err
	}
	if job.State == ml.JobSucceeded {
		return nil
	}
	message := job.ErrorMessage
	if message == "" {
		return ml.Errorf(ml.Aborted, "job %s ended %s", id, job.State)
	}
	return ml.Errorf(ml.Aborted, "job %s ended %s: %s", id, job.State, message)
}

// printEntry writes an entry, a line for each of its message's lines.
func printEntry(c *cli.Context, e client.LogEntry) error {
	w := c.App.Writer
	lines := []string{e.Message}
	if !c.Bool("allow-multiline-logs") {
		lines = strings.Split(strings.TrimRight(e.Message, "\n"), "\n")
	}
	for _, line := range lines {
		severity := colour(w, stateColours[e.Severity], e.Severity)
		when := e.Timestamp.Local().Format("2006-01-02 15:04:05 -0700")
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", severity, when, e.Task, line); err != nil {
			return err
		}
	}
	return nil
}
