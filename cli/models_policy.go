package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"hearth/cli/client"
	"hearth/ml"
)

func modelsGetPolicyCommand() *cli.Command {
	return &cli.Command{
		Name:      "get-iam-policy",
		Usage:     "Show who beside the owner may use a model",
		ArgsUsage: "MODEL",
		Description: `
Examples:

$ hearth models get-iam-policy digits`,
		Action: func(c *cli.Context) error {
			return atPolicy(c, "MODEL", func(daemon *client.Client, model string) (*ml.Policy, error) {
				return daemon.ModelPolicy(c.Context, model)
			})
		},
	}
}

func modelsSetPolicyCommand() *cli.Command {
	return &cli.Command{
		Name:      "set-iam-policy",
		Usage:     "Say who beside the owner may use a model",
		ArgsUsage: "MODEL FILE",
		Description: `FILE is YAML or JSON, as get-iam-policy prints it. An etag in it has to be the present one.

Examples:

$ hearth models set-iam-policy digits policy.yaml`,
		Action: func(c *cli.Context) error {
			args, err := words(c, "MODEL", "FILE")
			if err != nil {
				return err
			}
			b, err := os.ReadFile(args[1])
			if err != nil {
				return fmt.Errorf("read the policy: %w", err)
			}
			policy := &ml.Policy{}
			if err := yaml.UnmarshalStrict(b, policy); err != nil {
				return misuse(c, "%s: %v", args[1], err)
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			stored, err := daemon.SetModelPolicy(c.Context, args[0], policy)
			if err != nil {
				return err
			}
			return printValue(c, stored)
		},
	}
}

// memberFlags name a binding.
func memberFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "member", Usage: "`MEMBER`: allUsers, allAuthenticatedUsers, user:NAME or serviceAccount:NAME (required)"},
		&cli.StringFlag{Name: "role", Usage: "`ROLE`, such as roles/ml.modelUser (required)"},
	}
}

func modelsAddBindingCommand() *cli.Command {
	return &cli.Command{
		Name:      "add-iam-policy-binding",
		Usage:     "Let somebody use a model",
		ArgsUsage: "MODEL --member MEMBER --role ROLE",
		Description: `Bound to allUsers, the role roles/ml.modelUser lets everybody ask the model who reaches this server, without a token.

Examples:

$ hearth models add-iam-policy-binding digits --member allUsers --role roles/ml.modelUser`,
		Flags:  memberFlags(),
		Action: func(c *cli.Context) error { return changeBinding(c, addMember) },
	}
}

func modelsRemoveBindingCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove-iam-policy-binding",
		Usage:     "Let somebody use a model no longer",
		ArgsUsage: "MODEL --member MEMBER --role ROLE",
		Description: `
Examples:

$ hearth models remove-iam-policy-binding digits --member allUsers --role roles/ml.modelUser`,
		Flags:  memberFlags(),
		Action: func(c *cli.Context) error { return changeBinding(c, removeMember) },
	}
}

// atPolicy does something about the policy of the model that is named and prints what
// comes of it.
func atPolicy(c *cli.Context, what string, do func(daemon *client.Client, model string) (*ml.Policy, error)) error {
	model, err := word(c, what)
	if err != nil {
		return err
	}
	daemon, err := connect(c)
	if err != nil {
		return err
	}
	policy, err := do(daemon, model)
	if err != nil {
		return err
	}
	return printValue(c, policy)
}

// changeBinding reads the policy, changes it and writes it back, unless somebody else
// has changed it meanwhile.
func changeBinding(c *cli.Context, change func(p *ml.Policy, role, member string) error) error {
	role, err := required(c, "role")
	if err != nil {
		return err
	}
	member, err := required(c, "member")
	if err != nil {
		return err
	}
	return atPolicy(c, "MODEL", func(daemon *client.Client, model string) (*ml.Policy, error) {
		policy, err := daemon.ModelPolicy(c.Context, model)
		if err != nil {
			return nil, err
		}
		if err := change(policy, role, member); err != nil {
			return nil, err
		}
		return daemon.SetModelPolicy(c.Context, model, policy)
	})
}

func addMember(p *ml.Policy, role, member string) error {
	p.Bindings = append(p.Bindings, ml.Binding{Role: role, Members: []string{member}})
	return nil
}

func removeMember(p *ml.Policy, role, member string) error {
	found := false
	for i, b := range p.Bindings {
		if j := slices.Index(b.Members, member); b.Role == role && j >= 0 {
			p.Bindings[i].Members = slices.Delete(b.Members, j, j+1)
			found = true
		}
	}
	if !found {
		return ml.Errorf(ml.NotFound, "The policy does not give %s to %s.", role, member)
	}
	return nil
}
