package cli

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"hearth/ml"
)

func jobsQueueCommand() *cli.Command {
	return &cli.Command{
		Name:  "queue",
		Usage: "Show the jobs that wait, in their order, and why",
		Description: `EXPECTED_START supposes that each job runs as long as the last ones of its module did, or as long as its maxRunningTime allows; it is empty where nothing is known. With --format json the jobs that run and the slots are there too.

Examples:

$ hearth jobs queue
$ hearth jobs queue --format json`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			queue, err := daemon.Queue(c.Context)
			if err != nil {
				return err
			}
			if f := c.String("format"); f != "" && f != "table" {
				return printValue(c, queue)
			}
			if len(queue.Jobs) < queue.Waiting {
				notice(c, "%d jobs wait; these are the first of them.", queue.Waiting)
			}
			return printList(c, queue.Jobs,
				column[ml.WaitingJob]{"POSITION", func(j ml.WaitingJob) string { return strconv.Itoa(j.Position) }},
				column[ml.WaitingJob]{"JOB_ID", func(j ml.WaitingJob) string { return j.Job }},
				column[ml.WaitingJob]{"PRIORITY", func(j ml.WaitingJob) string { return strconv.Itoa(j.Priority) }},
				column[ml.WaitingJob]{"CREATED", func(j ml.WaitingJob) string { return timeText(j.CreateTime) }},
				column[ml.WaitingJob]{"EXPECTED_START", func(j ml.WaitingJob) string { return timeText(j.ExpectedStartTime) }},
				column[ml.WaitingJob]{"NEEDS", func(j ml.WaitingJob) string { return j.Needs.String() }},
				column[ml.WaitingJob]{"REASON", func(j ml.WaitingJob) string { return j.Reason }})
		},
	}
}
