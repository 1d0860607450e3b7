package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"hearth/cli/client"
)

// tail gives what the user wrote behind "--".
func tail(c *cli.Context) []string {
	t, _ := c.App.Metadata[tailKey].([]string)
	return t
}

// words gives the arguments of a command that takes exactly these; what stands
// behind "--" counts as an argument too.
func words(c *cli.Context, names ...string) ([]string, error) {
	return exactly(c, append(c.Args().Slice(), tail(c)...), names)
}

// word is words for a command with a single argument.
func word(c *cli.Context, name string) (string, error) {
	all, err := words(c, name)
	if err != nil {
		return "", err
	}
	return all[0], nil
}

func exactly(c *cli.Context, given, names []string) ([]string, error) {
	if err := checkFormat(c); err != nil {
		return nil, err
	}
	if len(given) < len(names) {
		return nil, misuse(c, "%s is missing", names[len(given)])
	}
	if len(given) > len(names) {
		return nil, misuse(c, "%q is too much: there are %d arguments before it already", given[len(names)], len(names))
	}
	return given, nil
}

// required gives the value of a flag that must be set.
func required(c *cli.Context, flag string) (string, error) {
	if v := c.String(flag); v != "" {
		return v, nil
	}
	return "", misuse(c, "--%s is missing", flag)
}

// pairs reads a flag of the form KEY=VALUE,KEY=VALUE; nil if it is not set.
func pairs(c *cli.Context, flag string) (map[string]string, error) {
	var out map[string]string
	for _, pair := range c.StringSlice(flag) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, misuse(c, "--%s %s: write KEY=VALUE,KEY=VALUE", flag, pair)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out, nil
}

// readConfig reads a --config file, YAML or JSON, into v. A field that v lacks
// is an error.
func readConfig(c *cli.Context, v any) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read --config: %w", err)
	}
	if err := yaml.UnmarshalStrict(b, v); err != nil {
		return misuse(c, "--config %s: %v", path, err)
	}
	return nil
}

// setIf puts a flag's value in place if the flag is set.
func setIf(c *cli.Context, flag string, dst *string) {
	if c.IsSet(flag) {
		*dst = c.String(flag)
	}
}

// connect makes the client of the daemon that the flags name.
func connect(c *cli.Context) (*client.Client, error) {
	token, err := readToken(c)
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{Endpoint: c.String("endpoint"), Token: token, Project: c.String("project")})
}

// atBucket reads the arguments of a command on one bucket: its name, and the
// daemon that has it.
func atBucket(c *cli.Context) (bucket string, daemon *client.Client, err error) {
	arg, err := word(c, "gs://BUCKET")
	if err != nil {
		return "", nil, err
	}
	if bucket, err = bucketName(c, arg); err != nil {
		return "", nil, err
	}
	daemon, err = connect(c)
	return bucket, daemon, err
}

// atVersion reads the arguments of a command on one version: the version's
// name, its model's, and the daemon that has them.
func atVersion(c *cli.Context) (model, version string, daemon *client.Client, err error) {
	if version, err = word(c, "VERSION"); err != nil {
		return "", "", nil, err
	}
	if model, err = required(c, "model"); err != nil {
		return "", "", nil, err
	}
	daemon, err = connect(c)
	return model, version, daemon, err
}
