package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func versionsCreateCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "Create a version of a model from a SavedModel",
		ArgsUsage: "VERSION --model MODEL --origin FOLDER",
		Description: `Waits until the version answers, or until it is known that it cannot. A local FOLDER is first uploaded to --staging-bucket. The first version of a model becomes its default.

Examples:

$ hearth versions create v1 --model digits --origin gs://digits/jobs/digits_1/export
$ hearth versions create v2 --model digits --origin ./export --staging-bucket gs://digits --runtime-version 2.21
$ hearth versions create v3 --model digits --origin gs://digits/jobs/digits_3/export --min-nodes 0`,
		Flags: []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "origin", Usage: "`FOLDER` of the SavedModel, gs:// or local (required)"},
			&cli.StringFlag{Name: "staging-bucket", Usage: "`BUCKET` for a local origin, as gs://BUCKET"},
			&cli.StringFlag{Name: "runtime-version", Usage: "`VERSION` of the runtime (see hearth runtimes list)"},
			&cli.StringFlag{Name: "framework", Usage: "`FRAMEWORK`: tensorflow"},
			&cli.StringFlag{Name: "python-version", Usage: "`VERSION` of Python, which must be the runtime's"},
			&cli.StringFlag{Name: "machine-type", Usage: "kept with the version; `TYPE` means nothing on one machine"},
			&cli.StringFlag{Name: "accelerator", Usage: "GPUs of each worker: `count=N,type=TYPE`"},
			&cli.IntFlag{Name: "min-nodes", Usage: "workers that stay; 0 unloads the version when nobody asks for it, and loads it for the next who does"},
			&cli.IntFlag{Name: "max-nodes", Usage: "kept with the version; there are as many workers as --min-nodes says"},
			&cli.StringFlag{Name: "description", Usage: "`TEXT` about the version"},
			&cli.StringFlag{Name: "config", Usage: "YAML or JSON `FILE` with the version; flags go before it"},
			&cli.StringSliceFlag{Name: "labels", Usage: "`KEY=VALUE`,KEY=VALUE…; hearth-max-batch, hearth-max-in-flight and hearth-timeout bound its requests"},
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the version"},
		},
		Action: createVersion,
	}
}

func modelFlag() cli.Flag {
	return &cli.StringFlag{Name: "model", Usage: "`MODEL` of the version (required)"}
}

func createVersion(c *cli.Context) error {
	name, err := word(c, "VERSION")
	if err != nil {
		return err
	}
	model, err := required(c, "model")
	if err != nil {
		return err
	}
	version, err := versionOf(c, name)
	if err != nil {
		return err
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	if version.DeploymentURI, err = stageOrigin(c, daemon, version.DeploymentURI); err != nil {
		return err
	}
	operation, err := daemon.CreateVersion(c.Context, model, version)
	if err != nil {
		return err
	}
	if c.Bool("async") {
		return printValue(c, operation)
	}
	if err := waitFor(c, daemon, operation, "Creating version (this takes a moment)"); err != nil {
		return err
	}
	notice(c, "Created version [%s] of model [%s].", name, model)
	if c.String("format") == "" {
		return nil
	}
	created, err := daemon.Version(c.Context, model, name)
	if err != nil {
		return err
	}
	return printValue(c, created)
}

// versionOf makes the version that flags and --config describe.
func versionOf(c *cli.Context, name string) (*ml.Version, error) {
	v := &ml.Version{}
	if err := readConfig(c, v); err != nil {
		return nil, err
	}
	v.Name = name
	setIf(c, "origin", &v.DeploymentURI)
	setIf(c, "runtime-version", &v.RuntimeVersion)
	setIf(c, "python-version", &v.PythonVersion)
	setIf(c, "machine-type", &v.MachineType)
	setIf(c, "description", &v.Description)
	if c.IsSet("framework") {
		v.Framework = strings.ToUpper(strings.ReplaceAll(c.String("framework"), "-", "_"))
	}
	if err := setNodes(c, v); err != nil {
		return nil, err
	}
	labels, err := pairs(c, "labels")
	if err != nil {
		return nil, err
	}
	if labels != nil {
		v.Labels = labels
	}
	if v.DeploymentURI == "" {
		return nil, misuse(c, "--origin is missing")
	}
	return v, nil
}

// setNodes puts what the flags say of workers and devices into a version.
func setNodes(c *cli.Context, v *ml.Version) error {
	if c.IsSet("accelerator") {
		var err error
		if v.AcceleratorConfig, err = accelerator(c, "accelerator"); err != nil {
			return err
		}
	}
	if !c.IsSet("min-nodes") && !c.IsSet("max-nodes") {
		return nil
	}
	if v.AutoScaling == nil {
		v.AutoScaling = &ml.AutoScaling{MinNodes: 1}
	}
	if c.IsSet("min-nodes") {
		v.AutoScaling.MinNodes = int32(c.Int("min-nodes"))
	}
	if c.IsSet("max-nodes") {
		v.AutoScaling.MaxNodes = int32(c.Int("max-nodes"))
	}
	return nil
}

// stageOrigin uploads a local SavedModel and gives the folder that it is in
// then. What is in the bucket already stays where it is.
func stageOrigin(c *cli.Context, daemon *client.Client, origin string) (string, error) {
	if strings.HasPrefix(origin, "gs://") {
		return origin, nil
	}
	if info, err := os.Stat(origin); err != nil {
		return "", fmt.Errorf("upload --origin: %w", err)
	} else if !info.IsDir() {
		return "", misuse(c, "--origin %s is not a folder", origin)
	}
	staging := c.String("staging-bucket")
	bucket, prefix, ok := ml.ObjectURI(staging)
	if !ok {
		return "", misuse(c, "--origin %s is a local folder: say where to put it with --staging-bucket gs://BUCKET", origin)
	}
	sum, err := hashTree(origin)
	if err != nil {
		return "", err
	}
	target := location{bucket: bucket, object: joinObject(prefix, sum) + "/"}
	if err := uploadTree(c, daemon, origin, target); err != nil {
		return "", err
	}
	return strings.TrimSuffix(target.String(), "/"), nil
}
