package runtimes

import (
	"cmp"
	"context"
	"errors"
	"os"

	"hearth/ml"
)

// Phases of an install.
const (
	PhasePrepare  = "prepare"
	PhaseDownload = "download"
	PhaseInstall  = "install"
	PhaseVerify   = "verify"
)

// Progress tells how far an install is. Its JSON is what hearth/v1 streams.
type Progress struct {
	Phase   string `json:"phase"`
	Package string `json:"package,omitempty"`
	// DoneBytes of TotalBytes of the package's download; TotalBytes is 0 if
	// it is not known.
	DoneBytes  int64  `json:"doneBytes,omitempty"`
	TotalBytes int64  `json:"totalBytes,omitempty"`
	Message    string `json:"message,omitempty"`
}

// flight is one install that several callers may wait for.
type flight struct {
	cancel  context.CancelFunc
	waiters map[chan Progress]bool
	done    chan struct{}
	runtime *Runtime
	err     error
}

// Install makes a runtime, or returns the one that is there. Callers that ask
// for the same name at the same time share one install; it goes on while one
// of them waits. progress is called from this goroutine, and may miss steps
// when it is slow. What an interrupted install left is made again.
//
// Errors: INVALID_ARGUMENT for a name that is no version of TensorFlow,
// FAILED_PRECONDITION if pip or TensorFlow does not work here.
func (s *Store) Install(ctx context.Context, name string, o InstallOptions, progress func(Progress)) (*Runtime, error) {
	name = s.Resolve(name)
	d, err := declare(name)
	if err != nil {
		return nil, err
	}
	var base *Runtime
	if d.base != "" {
		if base, err = s.Install(ctx, d.base, o, progress); err != nil {
			return nil, err
		}
		if o.Python != "" {
			if err := base.checkInterpreter(ctx, o.Python); err != nil {
				return nil, err
			}
		}
	}
	for {
		f, updates := s.join(name, d, base, o)
		if f == nil {
			return s.Get(name)
		}
		r, err := s.follow(ctx, f, updates, progress)
		// Who joins an install that its last caller has just left asks again.
		if ml.KindOf(err) != ml.Canceled || ctx.Err() != nil {
			return r, err
		}
	}
}

// follow waits for an install to end.
func (s *Store) follow(ctx context.Context, f *flight, updates chan Progress, progress func(Progress)) (*Runtime, error) {
	defer s.leave(f, updates)
	for {
		select {
		case p := <-updates:
			progress(p)
		case <-f.done:
			return f.runtime, f.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// join enters the install of name, which it starts if there is none. Nil means
// that the runtime is complete.
func (s *Store) join(name string, d declaration, base *Runtime, o InstallOptions) (*flight, chan Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights[name]
	if f == nil {
		if _, err := readRuntime(s.dir(name)); err == nil {
			return nil, nil
		}
		var ctx context.Context
		f = &flight{waiters: map[chan Progress]bool{}, done: make(chan struct{})}
		ctx, f.cancel = context.WithCancel(context.Background())
		s.flights[name] = f
		in := &installation{
			Store: s, declaration: d, name: name, dir: s.dir(name), base: base,
			python: cmp.Or(o.Python, s.o.Python), wheels: cmp.Or(o.Wheelhouse, s.o.Wheelhouse),
			report: func(p Progress) { s.report(f, p) },
		}
		go s.fly(ctx, f, in)
	}
	updates := make(chan Progress, 64)
	f.waiters[updates] = true
	return f, updates
}

// leave ends the install that nobody waits for any more. It returns when the
// install has stopped, so that nothing is left behind the last caller.
func (s *Store) leave(f *flight, updates chan Progress) {
	s.mu.Lock()
	delete(f.waiters, updates)
	last := len(f.waiters) == 0
	s.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

func (s *Store) fly(ctx context.Context, f *flight, in *installation) {
	log := s.o.Log.With().Str("runtime", in.name).Logger()
	log.Info().Strs("requirements", in.requirements()).Str("wheelhouse", in.wheels).Msg("runtime install begins")
	f.runtime, f.err = in.run(ctx)
	if f.err != nil {
		if err := os.RemoveAll(in.dir); err != nil {
			log.Error().Err(err).Msg("clear the unfinished runtime")
		}
		if errors.Is(f.err, context.Canceled) {
			f.err = ml.Errorf(ml.Canceled, "The install of runtime %s was cancelled.", in.name)
		}
		log.Error().Err(f.err).Msg("runtime install ended with an error")
	} else {
		log.Info().Str("tensorflow", f.runtime.TensorFlow).Str("python", f.runtime.Python).Msg("runtime installed")
	}
	s.mu.Lock()
	delete(s.flights, in.name)
	s.mu.Unlock()
	close(f.done)
}

// report hands p to everybody who keeps up.
func (s *Store) report(f *flight, p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for updates := range f.waiters {
		select {
		case updates <- p:
		default:
		}
	}
}
