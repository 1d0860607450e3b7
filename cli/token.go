package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "Print the token that requests must carry",
		Description: `Prints the owner's token of the daemon at --endpoint if that runs on this machine, else what --token-file holds.

Examples:

$ curl -H "Authorization: Bearer $(hearth token)" http://127.0.0.1:8080/v1/projects/hearth/jobs`,
		Action: func(c *cli.Context) error {
			if _, err := words(c); err != nil {
				return err
			}
			token, err := readToken(c)
			if err != nil {
				return err
			}
			if token == "" {
				return ml.Errorf(ml.Unauthenticated, "no token is known for %s", c.String("endpoint"))
			}
			fmt.Fprintln(c.App.Writer, token)
			return nil
		},
	}
}

// readToken gives the token to show: that of --token-file, else the one of the
// local daemon. Where there is neither it is empty, and the daemon says what it
// thinks of that.
func readToken(c *cli.Context) (string, error) {
	path := c.String("token-file")
	if path == "" {
		found, err := client.FindToken(c.String("endpoint"))
		if ml.KindOf(err) == ml.NotFound {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		path = found
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &ml.Error{Kind: ml.Unauthenticated, Message: "read the token", Err: err}
	}
	return strings.TrimSpace(string(b)), nil
}
