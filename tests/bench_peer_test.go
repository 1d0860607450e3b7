package tests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peersFolder has the peers' programs and what they require.
const peersFolder = "../bench/peers"

// peer is another model server, which runs with a venv, and with a folder for
// all that it writes.
type peer struct {
	name, venv string
	v2         bool // speaks the open inference protocol, else predict's
	folder     string
	log        *os.File
	cmd        *exec.Cmd
	ended      chan error
}

// start runs the peer until it gives the expected answer, and says where it does.
func (p *peer) start(b *testing.B, m peersModel) (target, error) {
	if _, err := os.Stat(filepath.Join(p.venv, ".made")); err != nil {
		return target{}, fmt.Errorf("cannot be installed: %s", lastLine(p.venv+".log"))
	}
	addr := freeAddress(b)
	if err := p.launch(b, m, addr); err != nil {
		return target{}, err
	}
	t := target{addr: addr, path: "/v1/models/m:predict"}
	if p.v2 {
		t.path, t.body = "/v2/models/m/infer", m.requestV2(b, p.name == "triton")
	} else {
		t.body = requestOf(b, m.name)
	}
	return t, p.awaitAnswer(b, t, m)
}

func (p *peer) launch(b *testing.B, m peersModel, addr string) error {
	// Not the benchmark's own folder, whose name is too long for Ray's sockets.
	folder, err := os.MkdirTemp("", "peer")
	check(b, err)
	p.folder = folder
	p.log, err = os.Create(filepath.Join(folder, "log"))
	check(b, err)
	program, err := filepath.Abs(filepath.Join(peersFolder, "serve_"+p.name+".py"))
	check(b, err)
	p.cmd = exec.Command(filepath.Join(p.venv, "bin", "python"), program)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, p.log, p.log
	p.cmd.Env = append(os.Environ(), "HOME="+folder, "PEER_FOLDER="+folder, "PEER_PORT="+addr[strings.LastIndex(addr, ":")+1:],
		"PEER_MODEL="+filepath.Join(m.folder(b), "1"), "TF_CPP_MIN_LOG_LEVEL=3")
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.cmd.Wait() }()
	return nil
}

func (p *peer) awaitAnswer(b *testing.B, t target, m peersModel) error {
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := m.verify(b, t)
		if err == nil || errors.Is(err, errWrongAnswer) {
			return err
		}
		select {
		case <-tick.C:
		case ended := <-p.ended:
			p.ended <- ended
			return fmt.Errorf("ended at its start (%v): %s", ended, lastLine(p.log.Name()))
		case <-deadline:
			return fmt.Errorf("does not answer: %w: %s", err, lastLine(p.log.Name()))
		}
	}
}

// stop ends the peer and all its processes, and removes what it wrote.
func (p *peer) stop(b *testing.B) {
	if p.folder == "" {
		return
	}
	if p.cmd.Process != nil {
		// Asked first: some have shared memory to give back.
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
		}
		killAll(b, p.folder)
	}
	p.log.Close()
	check(b, os.RemoveAll(p.folder))
}

// lastLine gives the last line of a file that says something.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strconv.Quote(lines[len(lines)-1])
}
