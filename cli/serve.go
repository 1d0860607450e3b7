package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"hearth/appliance"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "Run the daemon",
		Description: `Serves the APIs, trains and answers predictions until it is asked to end. SIGTERM ends the daemon alone: running jobs go on and loaded models stay loaded for the daemon that follows, as an upgrade wants it. SIGINT (Ctrl-C) also ends the model workers and the MinIO server that it runs; jobs go on.

Examples:

$ hearth serve --data /srv/hearth

$ hearth serve --config /etc/hearth.toml`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "`FILE` with the configuration; config.example.toml shows every key"},
			&cli.StringFlag{Name: "data", Usage: "`DIR` that holds everything Hearth keeps"},
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` to listen on, such as 127.0.0.1:8080"},
		},
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	if _, err := words(c); err != nil {
		return err
	}
	config, err := serveConfig(c)
	if err != nil {
		return err
	}
	log, err := daemonLog(c.App.ErrWriter, config.Log)
	if err != nil {
		return err
	}
	a, err := appliance.Open(c.Context, config, Version, log)
	if err != nil {
		return err
	}
	defer a.Close()

	// The program's own handling of signals would not tell the two apart.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context))
	defer cancel()
	go func() {
		if s := <-signals; s == os.Interrupt {
			a.EndWorkers()
		}
		cancel()
	}()
	return a.Run(ctx)
}

func serveConfig(c *cli.Context) (appliance.Config, error) {
	config := appliance.DefaultConfig()
	if path := c.String("config"); path != "" {
		var err error
		if config, err = appliance.LoadConfig(path); err != nil {
			return config, err
		}
	}
	if c.IsSet("data") {
		config.Data = c.String("data")
	}
	if c.IsSet("listen") {
		config.Listen.Address = c.String("listen")
	}
	return config, config.Resolve()
}

// daemonLog makes the daemon's log: text for a person at a terminal, else JSON.
func daemonLog(w io.Writer, c appliance.LogConfig) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("log.level: %w", err)
	}
	switch c.Format {
	case "json":
	case "text":
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	case "auto":
		if isTerminal(w) {
			w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
		}
	default:
		return zerolog.Nop(), fmt.Errorf("log.format: %q is none of json, text and auto", c.Format)
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}
