package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// BenchmarkStart measures the way from Start to the first byte that the
// program writes, against a bare fork and exec of the same program.
func BenchmarkStart(b *testing.B) {
	for _, mode := range []string{"cgroup", "none"} {
		b.Run(mode, func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Executable: self(), NoCgroups: mode == "none", Log: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				b.Fatal(err)
			}
			pipe, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer pipe.Close()
			p := shell("echo >" + path)
			var first [1]byte
			var supervised, bare, ended time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				pid, err := syscall.ForkExec(p.Args[0], p.Args, &syscall.ProcAttr{Env: p.Env, Dir: p.Dir})
				if err != nil {
					b.Fatal(err)
				}
				pipe.Read(first[:])
				bare += time.Since(began)
				syscall.Wait4(pid, nil, 0, nil)

				began = time.Now()
				id := fmt.Sprintf("hearth.bench%d.1/master-replica-0", i)
				if err := s.Start(b.Context(), id, p); err != nil {
					b.Fatal(err)
				}
				pipe.Read(first[:])
				supervised += time.Since(began)
				if _, err := s.Wait(b.Context(), id); err != nil {
					b.Fatal(err)
				}
				ended += time.Since(began)
			}
			n := float64(b.N)
			b.ReportMetric(supervised.Seconds()*1e3/n, "ms-to-first-byte")
			b.ReportMetric(bare.Seconds()*1e3/n, "ms-bare-exec")
			b.ReportMetric(float64(supervised)/float64(bare), "ratio")
			b.ReportMetric(ended.Seconds()*1e3/n, "ms-to-end")
		})
	}
}
