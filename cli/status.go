package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "Show the daemon and its machine: slots, devices, queue, versions, disk, isolation",
		Description: `
Examples:

$ hearth status
$ hearth status --format json
$ hearth status --wait 60s --quiet   # only wait until it is ready`,
		Flags: []cli.Flag{&cli.DurationFlag{Name: "wait", Usage: "wait up to `TIME`, such as 30s, until the daemon is ready"}},
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			status, err := awaitStatus(c)
			if err != nil || c.Bool("quiet") {
				return err
			}
			if f := c.String("format"); f == "json" || f == "yaml" {
				return printValue(c, status)
			}
			printStatus(c, status)
			return nil
		},
	}
}

// awaitStatus asks the daemon, with --wait again and again until it is ready.
// The token is read anew each time: a daemon writes it at its first start.
func awaitStatus(c *cli.Context) (*ml.Installation, error) {
	deadline := time.Now().Add(c.Duration("wait"))
	for {
		status, err := askStatus(c)
		if c.Duration("wait") == 0 || (err == nil && status.Ready) {
			return status, err
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = ml.Errorf(ml.DeadlineExceeded, "the daemon at %s is alive but not ready", c.String("endpoint"))
			}
			return nil, err
		}
		var unreachable *client.UnreachableError
		if err != nil && !errors.As(err, &unreachable) && ml.KindOf(err) != ml.Unauthenticated && ml.KindOf(err) != ml.Unavailable {
			return nil, err
		}
		if err := pause(c.Context, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func askStatus(c *cli.Context) (*ml.Installation, error) {
	daemon, err := connect(c)
	if err != nil {
		return nil, err
	}
	return daemon.Status(c.Context)
}

// pause waits, or gives the context's error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func printStatus(c *cli.Context, s *ml.Installation) {
	w := c.App.Writer
	state := colour(w, green, "ready")
	if !s.Ready {
		state = colour(w, yellow, "not ready")
	}
	uptime := time.Duration(s.UptimeSeconds) * time.Second
	fmt.Fprintf(w, "Hearth %s at %s: %s, pid %d, up %s\n\n", s.Version, c.String("endpoint"), state, s.PID, uptime)
	facts := [][]string{
		{"data", s.Data},
		{"disk", fmt.Sprintf("%s free of %s", bytesText(s.Disk.FreeBytes), bytesText(s.Disk.TotalBytes))},
		{"bucket", bucketText(w, s.Bucket)},
		{"slots", fmt.Sprintf("%s free of %s", s.Slots.Free, s.Slots.Total)},
		{"runtimes", orNone(strings.Join(s.Runtimes, ", "))},
		{"isolation", s.Isolation.Level},
	}
	for _, detail := range s.Isolation.Detail {
		facts = append(facts, []string{"", detail})
	}
	printColumns(w, facts)
	if s.GPUError != "" {
		fmt.Fprintf(w, "\n%s %s\n", colour(w, red, "GPUs cannot be used:"), s.GPUError)
	}
	printSection(w, "DEVICES", []string{"NAME", "MEMORY", "HEALTH", "UUID"}, rows(s.Devices, func(d ml.Device) []string {
		return []string{d.Name, bytesText(d.MemoryBytes), d.Health, d.UUID}
	}))
	printSection(w, "QUEUE", []string{"JOB", "STATE", "POSITION"}, rows(s.Queue, func(j ml.QueuedJob) []string {
		return []string{j.Job, string(j.State), countText(int(j.Position))}
	}))
	printSection(w, "VERSIONS", []string{"MODEL", "VERSION", "STATE", "DEFAULT", "PID", "MEMORY", "RESTARTS"}, rows(s.Versions, func(v ml.ServedVersion) []string {
		return []string{v.Model, v.Version, string(v.State), yesOrEmpty(v.Default), pidsText(v), memoryText(v.MemoryBytes), fmt.Sprint(v.Restarts)}
	}))
}

// pidsText names the workers of a version.
func pidsText(v ml.ServedVersion) string {
	if len(v.PIDs) < 2 {
		return countText(v.PID)
	}
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(v.PIDs)), ","), "[]")
}

// memoryText writes a size that is not known when it is 0.
func memoryText(n int64) string {
	if n == 0 {
		return ""
	}
	return bytesText(n)
}

// bucketText says where the bucket is and how it is.
func bucketText(w io.Writer, b ml.BucketStatus) string {
	text := b.Backend + " at " + b.Location
	if b.ReserveBytes > 0 {
		text += ", " + bytesText(b.ReserveBytes) + " kept free"
	}
	if b.Restarts > 0 {
		text += fmt.Sprintf(", restarts: %d", b.Restarts)
	}
	if b.Error != "" {
		text += ": " + colour(w, red, b.Error)
	}
	return text
}

// countText writes a number that means nothing when it is 0.
func countText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// printSection writes a heading and a table, or that there is nothing.
func printSection(w io.Writer, heading string, titles []string, table [][]string) {
	if len(table) == 0 {
		fmt.Fprintf(w, "\n%s: none\n", heading)
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	printTable(w, append([][]string{titles}, table...))
}
