package cli

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// waitFor waits until an operation is done, showing on a terminal that it is
// still under way. An operation that ended with an error is that error.
func waitFor(c *cli.Context, daemon *client.Client, operation *ml.Operation, what string) error {
	if operation.Done || !showsProgress(c) {
		_, err := daemon.WaitOperation(c.Context, operation)
		return err
	}
	bar := progressbar.NewOptions(-1, barOptions(c.App.ErrWriter, what)...)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				_ = bar.Add(1)
			}
		}
	}()
	_, err := daemon.WaitOperation(c.Context, operation)
	close(stop)
	<-stopped
	_ = bar.Clear()
	return err
}

// showsProgress reports whether progress may be drawn.
func showsProgress(c *cli.Context) bool {
	return !c.Bool("quiet") && isTerminal(c.App.ErrWriter)
}

func barOptions(w io.Writer, what string) []progressbar.Option {
	return []progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(60 * time.Millisecond),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionClearOnFinish(),
	}
}

// byteBar makes a progress bar that counts bytes; total may be -1. Without a
// terminal it shows nothing.
func byteBar(c *cli.Context, total int64, what string) *progressbar.ProgressBar {
	options := append(barOptions(c.App.ErrWriter, what), progressbar.OptionShowBytes(true))
	if !showsProgress(c) {
		options = append(options, progressbar.OptionSetVisibility(false))
	}
	return progressbar.NewOptions64(total, options...)
}
