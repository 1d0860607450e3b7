package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hearth/ml"
	"hearth/ml/respawn"
	"hearth/scheduler/process"
)

// minioServer keeps a MinIO server running for the bucket. The server is a
// supervised process: it outlives the daemon, and the next one takes it over.
type minioServer struct {
	config MinIOConfig
	// data is the folder of the server's files, keys the file with its
	// credentials, attempts that of all attempts.
	data, keys, attempts string
	supervisor           *process.Supervisor
	tail                 func(process string, lines int) (string, error)
	log                  zerolog.Logger

	// number is that of the newest attempt, 0 if there never was one.
	number int
	// ran is true once Run has begun, fresh if the server was started before it
	// by this daemon.
	ran, fresh bool

	mu       sync.Mutex
	restarts int
	down     string // why the server does not run, empty while it does
}

const (
	minioAttempt = "minio."
	minioTask    = "server"
	// minioGrace is how long the server may take to end.
	minioGrace = 10 * time.Second
	// minioPatience is how long it may take to come up.
	minioPatience = 2 * time.Minute
)

func (a *Appliance) newMinIO() *minioServer {
	m := &minioServer{
		config: a.config.Storage.MinIO, data: a.path("minio"), keys: a.path(minioKeysFile), attempts: a.path("attempts"),
		supervisor: a.supervisor, tail: a.logs.Tail, log: a.component("minio"),
	}
	if all := m.numbers(); len(all) > 0 {
		m.number = all[len(all)-1]
	}
	return m
}

// numbers gives the numbers of the attempts there are, in order.
func (m *minioServer) numbers() []int {
	entries, err := os.ReadDir(m.attempts)
	if err != nil {
		m.log.Error().Err(err).Msg("attempts not listed")
	}
	var numbers []int
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), minioAttempt)
		if n, err := strconv.Atoi(number); ours && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (m *minioServer) attempt(n int) string { return minioAttempt + strconv.Itoa(n) }

// id names the newest process.
func (m *minioServer) id() string { return m.attempt(m.number) + "/" + minioTask }

// runs reports whether there is a process that has not ended as far as we know.
func (m *minioServer) runs() bool {
	return m.number > 0 && m.supervisor.Started(m.id()) && !m.supervisor.Over(m.id())
}

// start finds the server of an earlier daemon, or starts one, and returns when
// it answers.
func (m *minioServer) start(ctx context.Context) error {
	found, err := m.takeOver(ctx)
	if err == nil && !found {
		err = m.launch(ctx)
	}
	if err == nil {
		err = m.awaitReady(ctx)
	}
	if err != nil {
		return err
	}
	m.say("")
	m.log.Info().Str("process", m.id()).Str("endpoint", m.endpoint()).Bool("taken_over", found).Msg("MinIO answers")
	return nil
}

// takeOver looks for a server that runs already. One that was started with
// another configuration is ended.
func (m *minioServer) takeOver(ctx context.Context) (found bool, err error) {
	if !m.runs() {
		return false, nil
	}
	// Started before, it keeps the description of that time; this settles what
	// became of it meanwhile.
	if err := m.supervisor.Start(ctx, m.id(), ml.Process{}); err != nil {
		return false, fmt.Errorf("find the MinIO server again: %w", err)
	}
	if !m.runs() {
		return false, nil
	}
	// The program may have moved; that alone is no reason to end it.
	asked, _ := m.supervisor.Asked(m.id())
	wanted := m.describe("")
	if len(asked.Args) > 0 && slices.Equal(asked.Args[1:], wanted.Args[1:]) && slices.Equal(asked.Env, wanted.Env) {
		return true, nil
	}
	m.log.Info().Str("process", m.id()).Msg("MinIO is started anew: its configuration has changed")
	return false, m.end(ctx)
}

// launch starts a new server.
func (m *minioServer) launch(ctx context.Context) error {
	program, err := exec.LookPath(m.config.Binary)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return fmt.Errorf("storage.minio.run: there is no program %q: install MinIO, or say in storage.minio.binary where it is, or set run = false and storage.minio.endpoint to a server that runs", m.config.Binary)
	}
	if err := m.checkPort(); err != nil {
		return err
	}
	if err := os.MkdirAll(m.data, 0o700); err != nil {
		return fmt.Errorf("make MinIO's folder: %w", err)
	}
	if err := makeKeys(m.keys); err != nil {
		return err
	}
	// The last server's log stays; older ones have had their time.
	for _, n := range m.numbers() {
		if n < m.number {
			if err := m.supervisor.Remove(m.attempt(n)); err != nil {
				m.log.Warn().Err(err).Msg("old attempt not removed")
			}
		}
	}
	m.number++
	if err := m.supervisor.Start(ctx, m.id(), m.describe(program)); err != nil {
		return fmt.Errorf("start the MinIO server: %w", err)
	}
	m.fresh = !m.ran
	return nil
}

// describe says what is run. The credentials are in a file of their own: they
// are in no command line, no environment and no description of a process.
func (m *minioServer) describe(program string) ml.Process {
	env := []string{
		"MINIO_CONFIG_ENV_FILE=" + m.keys,
		"MINIO_BROWSER=off", // its console would listen on all addresses
		"MINIO_UPDATE=off",
		"HOME=" + m.supervisor.Folder(m.id()), // certificates in the user's home would make it speak TLS
	}
	if m.config.Region != "" {
		env = append(env, "MINIO_SITE_REGION="+m.config.Region)
	}
	return ml.Process{
		Args:   []string{program, "server", "--address", m.config.Listen, "--quiet", m.data},
		Env:    env,
		Dir:    m.data,
		Weight: ml.WeightNormal,
		Grace:  minioGrace,
	}
}

// checkPort finds out whether others listen where the server is to.
func (m *minioServer) checkPort() error {
	l, err := net.Listen("tcp", m.config.Listen)
	if err != nil {
		return fmt.Errorf("storage.minio.listen: the MinIO server cannot listen on %s: end what listens there, or choose another address: %w", m.config.Listen, err)
	}
	return l.Close()
}

// Run starts the server again whenever it ends, until ctx does. It goes on then.
func (m *minioServer) Run(ctx context.Context) error {
	m.ran, m.fresh = true, false
	for delay := time.Duration(0); ; {
		began := time.Now()
		exit, err := m.supervisor.Wait(ctx, m.id())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch the MinIO server: %w", err)
		}
		delay = respawn.Next(delay, time.Since(began))
		m.say("The MinIO server ended: " + exit.Sentence() + ". It is being started again.")
		m.log.Error().Str("process", m.id()).Str("exit", exit.Sentence()).Dur("again_in", delay).Msg("MinIO ended")
		if delay = m.restart(ctx, delay); ctx.Err() != nil {
			return nil
		}
	}
}

// restart starts the server until it answers or ctx ends. It gives the pause
// that came last.
func (m *minioServer) restart(ctx context.Context, delay time.Duration) time.Duration {
	for respawn.Pause(ctx, delay) {
		err := m.start(ctx)
		if err == nil {
			m.mu.Lock()
			m.restarts++
			m.mu.Unlock()
			break
		}
		if ctx.Err() == nil {
			delay = respawn.Next(delay, 0)
			m.say("The MinIO server cannot be started: " + err.Error())
			m.log.Error().Err(err).Dur("again_in", delay).Msg("MinIO not started")
		}
	}
	return delay
}

// end ends the server, if one runs, and returns when it has ended.
func (m *minioServer) end(ctx context.Context) error {
	if !m.runs() {
		return nil
	}
	err := m.supervisor.Stop(ctx, m.id())
	if err == nil {
		_, err = m.supervisor.Wait(ctx, m.id())
	}
	if err != nil {
		return fmt.Errorf("end the MinIO server: %w", err)
	}
	return nil
}

// Close ends a server that was started for a daemon that then did not run.
func (m *minioServer) Close() error {
	if !m.fresh {
		return nil
	}
	m.fresh = false
	return m.end(context.Background())
}

func (m *minioServer) say(down string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// status tells how often the server was started again, and why it does not run
// now, if so.
func (m *minioServer) status() (restarts int, down string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.restarts, m.down
}

// explain says why a server ended before it answered.
func (m *minioServer) explain(exit ml.Exit) error {
	text := "the MinIO server ended before it answered: " + exit.Sentence()
	if last, err := m.tail(m.id(), 5); err == nil && strings.TrimSpace(last) != "" {
		text += ". Its last words: " + strings.Join(strings.Fields(last), " ")
	}
	return errors.New(text)
}
