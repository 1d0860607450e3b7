package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

// commands gives all commands that people see, in the order of the help.
func commands() []*cli.Command {
	return []*cli.Command{
		serveCommand(),
		group("runtimes", "Install and remove versions of TensorFlow",
			runtimesListCommand(), runtimesInstallCommand(), runtimesRemoveCommand(),
			runtimesExportCommand(), runtimesImportCommand()),
		group("gpus", "See GPUs, and use them again after an error", gpusListCommand(), gpusClearCommand()),
		group("jobs", "Train models",
			group("submit", "Submit a job", jobsSubmitTrainingCommand(), jobsSubmitPredictionCommand()),
			jobsListCommand(), jobsQueueCommand(), jobsDescribeCommand(), jobsCancelCommand(), jobsStreamLogsCommand()),
		group("local", "Work without a daemon", localTrainCommand(), localPredictCommand()),
		group("models", "Manage models",
			modelsCreateCommand(), modelsListCommand(), modelsDescribeCommand(), modelsDeleteCommand(),
			modelsGetPolicyCommand(), modelsSetPolicyCommand(), modelsAddBindingCommand(), modelsRemoveBindingCommand()),
		group("versions", "Manage versions of models",
			versionsCreateCommand(), versionsListCommand(), versionsDescribeCommand(), versionsBenchmarkCommand(),
			versionsDeleteCommand(), versionsSetDefaultCommand()),
		predictCommand(),
		group("storage", "Work with buckets and objects",
			group("buckets", "Manage buckets",
				bucketsCreateCommand(), bucketsListCommand(), bucketsDescribeCommand(), bucketsUpdateCommand(), bucketsDeleteCommand()),
			group("objects", "Manage what is kept with objects",
				objectsDescribeCommand(), objectsUpdateCommand()),
			storageLsCommand(), storageCpCommand(), storageMvCommand(), storageRsyncCommand(), storageCatCommand(), storageRmCommand(),
			storageDuCommand(), storageHashCommand(), storageReindexCommand()),
		statusCommand(),
		envCommand(),
		execCommand(),
		tokenCommand(),
		versionCommand(),
		completionCommand(),
		docsCommand(),
	}
}

// group makes a command that only holds others. Alone it shows its help.
func group(name, usage string, subcommands ...*cli.Command) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, Subcommands: subcommands, Action: unknownCommand}
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "endpoint", EnvVars: []string{"HEARTH_ENDPOINT"}, Value: "http://127.0.0.1:8080", Usage: "address of the daemon"},
		&cli.StringFlag{Name: "token-file", EnvVars: []string{"HEARTH_TOKEN_FILE"}, Usage: "`FILE` with the token to show (default: that of the local daemon)"},
		&cli.StringFlag{Name: "project", EnvVars: []string{"HEARTH_PROJECT"}, Value: "hearth", Usage: "project to work in"},
		&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the output: json, yaml or table (default: table for lists, yaml for single things)"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "ask nothing, show no progress"},
	}
}

// newApp makes the program. It is made anew for each run: urfave/cli keeps
// state in it.
func newApp(in io.Reader, out, errOut io.Writer) *cli.App {
	cli.HelpPrinter = printHelp
	app := &cli.App{
		Name:                 "hearth",
		Usage:                "Cloud Machine Learning Engine on one machine",
		Flags:                globalFlags(),
		Commands:             commands(),
		Action:               unknownCommand,
		Reader:               in,
		Writer:               out,
		ErrWriter:            errOut,
		HideVersion:          true,
		HideHelpCommand:      true,
		EnableBashCompletion: true,
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError:         flagError,
		Metadata:             map[string]any{},
	}
	eachCommand(app.Commands, func(c *cli.Command) {
		c.HideHelpCommand, c.OnUsageError = true, flagError
	})
	return app
}

// eachCommand visits all commands of a tree, parents first.
func eachCommand(commands []*cli.Command, visit func(*cli.Command)) {
	for _, c := range commands {
		visit(c)
		eachCommand(c.Subcommands, visit)
	}
}

// Main runs the program with the process's arguments and streams and gives
// its exit status.
func Main() int {
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			return child(os.Args[2:])
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args, newApp(os.Stdin, os.Stdout, os.Stderr))
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	return report(os.Stderr, err)
}

func run(ctx context.Context, args []string, app *cli.App) error {
	arranged, tail := arrange(app, args)
	app.Metadata[tailKey] = tail
	return app.RunContext(ctx, arranged)
}
