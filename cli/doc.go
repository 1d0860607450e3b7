// Package cli is the command line: one file per command, in the words of
// gcloud's ai-platform group wherever that has one. Every command but serve
// and the hidden ones speaks HTTP to a daemon through cli/client, as any other
// client does.
//
// A command is an urfave/cli command whose action returns an error; exit.go
// turns that into one line and an exit status that means something. Flags may
// stand anywhere before "--" (arrange.go). docs/cli.md is made from the
// commands themselves.
package cli
