package cli

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// hashes is what hash prints, with gcloud's names.
type hashes struct {
	CRC32C string `json:"crc32c_hash,omitempty"`
	Format string `json:"digest_format"`
	MD5    string `json:"md5_hash,omitempty"`
	URL    string `json:"url"`
}

func storageHashCommand() *cli.Command {
	return &cli.Command{
		Name:      "hash",
		Usage:     "Show the checksums of files and objects",
		ArgsUsage: "FILE|gs://BUCKET/OBJECT…",
		Description: `Objects that were put together from parts have no MD5. ` + namesHelp + `

Examples:

$ hearth storage hash digits.csv.gz gs://digits/data/digits.csv.gz
$ hearth storage hash --hex --skip-crc32c digits.csv.gz`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "hex", Usage: "write hexadecimal digits instead of base64"},
			&cli.BoolFlag{Name: "skip-crc32c", Usage: "leave the CRC32C out"},
			&cli.BoolFlag{Name: "skip-md5", Usage: "leave the MD5 out"},
		},
		Action: func(c *cli.Context) error {
			given, err := several(c, 1, "FILE or gs://BUCKET/OBJECT")
			if err != nil {
				return err
			}
			daemon, err := connect(c)
			if err != nil {
				return err
			}
			var all []hashes
			for _, arg := range given {
				some, err := hashesOf(c, daemon, arg)
				if err != nil {
					return err
				}
				all = append(all, some...)
			}
			return printHashes(c, all)
		},
	}
}

// printHashes writes one after the other, or a list where a program asks.
func printHashes(c *cli.Context, all []hashes) error {
	for i := range all {
		if err := all[i].shape(c); err != nil {
			return err
		}
	}
	if c.String("format") != "" {
		return printList(c, all,
			column[hashes]{"CRC32C", func(h hashes) string { return h.CRC32C }},
			column[hashes]{"MD5", func(h hashes) string { return h.MD5 }},
			column[hashes]{"URL", func(h hashes) string { return h.URL }})
	}
	for _, h := range all {
		fmt.Fprintln(c.App.Writer, "---")
		if err := printValue(c, h); err != nil {
			return err
		}
	}
	return nil
}

// hashesOf gives the checksums of what an argument stands for, in base64.
func hashesOf(c *cli.Context, daemon *client.Client, arg string) ([]hashes, error) {
	at, err := parseLocation(c, arg)
	if err != nil {
		return nil, err
	}
	var all []hashes
	if at.remote() {
		objects, err := findObjects(&atObjects{c, daemon, []location{at}})
		for _, o := range objects {
			all = append(all, hashes{CRC32C: o.CRC32C, MD5: o.MD5Hash, URL: o.URI()})
		}
		return all, err
	}
	names := []string{arg}
	if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
		if names, err = localMatches(arg); err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, ml.Errorf(ml.NotFound, "there is no file %s", arg)
		}
	}
	for _, name := range names {
		h, err := hashesOfFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

func hashesOfFile(name string) (hashes, error) {
	file, err := os.Open(name)
	if err != nil {
		return hashes{}, fmt.Errorf("hash: %w", err)
	}
	defer file.Close()
	sum := md5.New()
	crc, err := client.ChecksumOf(io.TeeReader(file, sum))
	if err != nil {
		return hashes{}, fmt.Errorf("hash: %w", err)
	}
	return hashes{CRC32C: crc.String(), MD5: base64.StdEncoding.EncodeToString(sum.Sum(nil)), URL: name}, nil
}

// shape writes the checksums as the flags want them.
func (h *hashes) shape(c *cli.Context) error {
	h.Format = "base64"
	if c.Bool("hex") {
		h.Format = "hex"
	}
	for flag, sum := range map[string]*string{"skip-crc32c": &h.CRC32C, "skip-md5": &h.MD5} {
		if c.Bool(flag) {
			*sum = ""
		}
		if c.Bool("hex") {
			b, err := base64.StdEncoding.DecodeString(*sum)
			if err != nil {
				return fmt.Errorf("read the checksum of %s: %w", h.URL, err)
			}
			*sum = hex.EncodeToString(b)
		}
	}
	return nil
}
