package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// completionScripts hand what is typed so far to the program itself, which
// knows its commands and flags.
var completionScripts = map[string]string{
	"bash": `_hearth() {
  local current="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]:0:COMP_CWORD}") known
  if [[ "$current" == -* ]]; then words+=("$current"); fi
  known="$("${words[@]}" --generate-bash-completion 2>/dev/null)"
  COMPREPLY=($(compgen -W "$known" -- "$current"))
  if [[ ${#COMPREPLY[@]} -eq 0 ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o nosort -F _hearth hearth
`,
	"zsh": `#compdef hearth
_hearth() {
  local current="${words[CURRENT]}"
  local -a typed known
  typed=("${(@)words[1,CURRENT-1]}")
  if [[ "$current" == -* ]]; then typed+=("$current"); fi
  known=("${(@f)$("${typed[@]}" --generate-bash-completion 2>/dev/null)}")
  known=("${(@)known%%:*}")
  if [[ -n "${known[1]}" ]]; then compadd -a known; else _files; fi
}
compdef _hearth hearth
`,
	"fish": `function __hearth_complete
  set -l typed (commandline -opc)
  set -l current (commandline -ct)
  if string match -q -- '-*' $current
    set typed $typed $current
  end
  $typed --generate-bash-completion 2>/dev/null | string replace -r ':.*' ''
end
complete -c hearth -a '(__hearth_complete)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "Print a script that completes commands in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `
Examples:

$ source <(hearth completion bash)
$ hearth completion fish > ~/.config/fish/completions/hearth.fish`,
		Action: func(c *cli.Context) error {
			shell, err := word(c, "bash, zsh or fish")
			if err != nil {
				return err
			}
			script, ok := completionScripts[shell]
			if !ok {
				return misuse(c, "%q: use bash, zsh or fish", shell)
			}
			fmt.Fprint(c.App.Writer, script)
			return nil
		},
	}
}
