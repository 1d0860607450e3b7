package runtimes

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// toolEnv is the daemon's environment without what would lead another Python
// astray.
func toolEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX":
		default:
			env = append(env, kv)
		}
	}
	// TensorFlow's import then says only what matters.
	return append(env, "PYTHONUNBUFFERED=1", "TF_CPP_MIN_LOG_LEVEL=2", "CUDA_VISIBLE_DEVICES=")
}

// runTool runs a command to its end and gives the last part of what it wrote.
// line, if not nil, is called with each line. The command's tree is killed
// with ctx, and the command also if this process dies: an install that nobody
// watches must not write into a folder that the next daemon clears. variables
// come on top of the daemon's own.
func runTool(ctx context.Context, args []string, line func(string), variables ...string) (string, error) {
	// The death signal comes when the thread ends that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(toolEnv(), variables...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	var kept tail
	scanned := make(chan struct{})
	go func() {
		defer close(scanned)
		in := bufio.NewReader(r)
		for {
			text, err := in.ReadString('\n')
			kept.add(text)
			if line != nil {
				line(strings.TrimRight(text, "\r\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	err := cmd.Run()
	w.Close()
	<-scanned
	if ctx.Err() != nil {
		return kept.String(), ctx.Err()
	}
	return kept.String(), err
}

// tail keeps the end of a text, at least maxTail bytes of it.
type tail struct{ text string }

const maxTail = 64 << 10

func (t *tail) add(s string) {
	t.text += s
	if len(t.text) > 2*maxTail {
		t.text = t.text[len(t.text)-maxTail:]
	}
}

func (t *tail) String() string { return t.text }

// errorLines gives pip's complaint: from its first line that speaks of an
// error to the end, or the last lines if none does.
func errorLines(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(l)), "error:") {
			return lastLines(strings.Join(lines[i:], "\n"), 30)
		}
	}
	return lastLines(out, 10)
}

func lastLines(out string, n int) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var pipVersionPattern = regexp.MustCompile(`^pip ([0-9]+)\.([0-9]+)`)

// pipReportsBytes reports whether a pip with this --version output knows
// --progress-bar raw.
func pipReportsBytes(version string) bool {
	m := pipVersionPattern.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return major > 24 || major == 24 && minor >= 1
}

var (
	progressPattern = regexp.MustCompile(`^Progress ([0-9]+) of ([0-9]+)`)
	downloadPattern = regexp.MustCompile(`^(?:Downloading|Using cached|Processing) (?:\S*/)?([A-Za-z0-9._]+)-[0-9]\S* ?`)
)

// progressParser reads what pip says while it installs. It is made for what
// pips of today write and keeps quiet about what it does not understand.
type progressParser struct {
	report func(Progress)
	pkg    string
}

func (p *progressParser) line(text string) {
	text = strings.TrimSpace(text)
	if done, total, ok := parseProgress(text); ok {
		p.report(Progress{Phase: PhaseDownload, Package: p.pkg, DoneBytes: done, TotalBytes: total})
		return
	}
	switch m := downloadPattern.FindStringSubmatch(text); {
	case m != nil && !strings.Contains(text, ".metadata"):
		p.pkg = strings.ReplaceAll(m[1], "_", "-")
		p.report(Progress{Phase: PhaseDownload, Package: p.pkg, Message: text})
	case strings.HasPrefix(text, "Collecting "):
		p.report(Progress{Phase: PhaseDownload, Message: text})
	case strings.HasPrefix(text, "Installing collected packages"):
		p.report(Progress{Phase: PhaseInstall, Message: "unpacking the packages"})
	}
}

func parseProgress(text string) (done, total int64, ok bool) {
	m := progressPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	done, err1 := strconv.ParseInt(m[1], 10, 64)
	total, err2 := strconv.ParseInt(m[2], 10, 64)
	return done, total, err1 == nil && err2 == nil
}
