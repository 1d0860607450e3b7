package appliance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"hearth/ml"
)

// Project is the one project there is.
const Project = "hearth"

// Config is everything an operator can set. config.example.toml documents each
// key; a test holds the two together.
type Config struct {
	// Data is the folder that holds everything Hearth keeps.
	Data      string          `toml:"data"`
	Listen    ListenConfig    `toml:"listen"`
	Log       LogConfig       `toml:"log"`
	Storage   StorageConfig   `toml:"storage"`
	Runtimes  RuntimesConfig  `toml:"runtimes"`
	Scheduler SchedulerConfig `toml:"scheduler"`
	// MachineTypes are by the name that requests use, ScaleTiers by theirs.
	MachineTypes map[string]MachineConfig `toml:"machine_types"`
	ScaleTiers   map[string]TierConfig    `toml:"scale_tiers"`
	Sandbox      SandboxConfig            `toml:"sandbox"`
	Network      NetworkConfig            `toml:"network"`
	Predict      PredictConfig            `toml:"predict"`
	Batch        BatchConfig              `toml:"batch"`
}

// ListenConfig says where the daemon is reached.
type ListenConfig struct {
	Address string   `toml:"address"`
	Names   []string `toml:"names"`
}

// LogConfig says how the daemon's own log looks.
type LogConfig struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// StorageConfig is about the bucket.
type StorageConfig struct {
	Backend    string      `toml:"backend"`
	Reserve    Share       `toml:"reserve"`
	ReserveMin Size        `toml:"reserve_min"`
	MinIO      MinIOConfig `toml:"minio"`
}

// RuntimesConfig is about TensorFlow installs.
type RuntimesConfig struct {
	Default          string            `toml:"default"`
	Aliases          map[string]string `toml:"aliases"`
	Python           string            `toml:"python"`
	Index            string            `toml:"index"`
	Wheelhouse       string            `toml:"wheelhouse"`
	KeepEnvironments Duration          `toml:"keep_environments"`
}

// SchedulerConfig is about training jobs and what they may take.
type SchedulerConfig struct {
	CPUs          int       `toml:"cpus"`
	JobMemory     Size      `toml:"job_memory"`
	MemoryLimit   Share     `toml:"memory_limit"`
	Grace         Duration  `toml:"grace"`
	PidsLimit     int64     `toml:"pids_limit"`
	LogLimit      Size      `toml:"log_limit"`
	DiskLimit     Share     `toml:"disk_limit"`
	Ports         PortRange `toml:"ports"`
	OnHostFailure string    `toml:"on_host_failure"`
}

// NetworkConfig is about what jobs may reach.
type NetworkConfig struct {
	Allow []string `toml:"allow"`
}

// PredictConfig is about online prediction.
type PredictConfig struct {
	MaxBody     Size     `toml:"max_body"`
	MaxInFlight int      `toml:"max_in_flight"`
	Timeout     Duration `toml:"timeout"`
	Idle        Duration `toml:"idle"`
	HandOver    bool     `toml:"hand_over"`
}

// BatchConfig is about batch prediction.
type BatchConfig struct {
	MaxErrorRate float64 `toml:"max_error_rate"`
	ShardSize    Size    `toml:"shard_size"`
}

// minShardSize keeps the results of a job countable.
const minShardSize = 1 << 10

// DefaultConfig is what holds where nothing else is said.
func DefaultConfig() Config {
	return Config{
		Listen:   ListenConfig{Address: "127.0.0.1:8080", Names: []string{}},
		Log:      LogConfig{Level: "info", Format: "auto"},
		Storage:  defaultStorage(),
		Runtimes: RuntimesConfig{Default: "2.21", Aliases: map[string]string{}, Python: "python3", KeepEnvironments: Duration(30 * 24 * time.Hour)},
		Scheduler: SchedulerConfig{
			JobMemory:     1 << 30,
			MemoryLimit:   Share{Percent: 80},
			Grace:         Duration(10 * second),
			PidsLimit:     8192,
			LogLimit:      4 << 30,
			DiskLimit:     Share{Percent: 50},
			Ports:         PortRange{20000, 20999},
			OnHostFailure: hostFailureFail,
		},
		ScaleTiers: map[string]TierConfig{
			ml.TierStandard1: {Workers: 2, ParameterServers: 1},
			ml.TierPremium1:  {Workers: 0, ParameterServers: 1},
		},
		Sandbox: SandboxConfig{Enabled: true, Cgroups: true, Users: UserRange{231000, 231999}, Read: []string{}, Write: []string{}},
		Network: NetworkConfig{Allow: []string{}},
		Predict: PredictConfig{MaxBody: 64 << 20, MaxInFlight: 256, Timeout: Duration(60 * second), Idle: Duration(600 * second), HandOver: true},
		Batch:   BatchConfig{MaxErrorRate: 0.5, ShardSize: 64 << 20},
	}
}

// LoadConfig reads a TOML file over the defaults. A key that Hearth does not
// know is an error that names it and its line.
func LoadConfig(path string) (Config, error) {
	c := DefaultConfig()
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := decodeConfig(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func decodeConfig(b []byte, c *Config) error {
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	err := d.Decode(c)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		e := strict.Errors[0]
		row, _ := e.Position()
		return fmt.Errorf("line %d: there is no key %s", row, strings.Join(e.Key(), "."))
	}
	if bad := (*toml.DecodeError)(nil); errors.As(err, &bad) {
		row, _ := bad.Position()
		return fmt.Errorf("line %d: %s", row, bad.Error())
	}
	return err
}

// Resolve fills in what depends on the host and makes paths absolute.
func (c *Config) Resolve() error {
	if c.Data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return errors.New("no data folder: give --data DIR")
		}
		c.Data = filepath.Join(home, ".local", "share", "hearth")
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("resolve the data folder: %w", err)
	}
	c.Data = abs
	if c.Scheduler.CPUs <= 0 {
		c.Scheduler.CPUs = runtime.NumCPU()
	}
	if c.Predict.MaxInFlight <= 0 {
		return errors.New("predict.max_in_flight must be at least 1")
	}
	if r := c.Batch.MaxErrorRate; !(r >= 0 && r <= 1) {
		return errors.New("batch.max_error_rate must be from 0 to 1")
	}
	if c.Batch.ShardSize < minShardSize {
		return errors.New("batch.shard_size must be at least 1KiB")
	}
	if err := c.checkTraining(); err != nil {
		return err
	}
	return c.Storage.resolve()
}
