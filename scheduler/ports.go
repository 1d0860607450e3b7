package scheduler

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// errNoPorts is not the job's fault: other programs listen on its ports.
var errNoPorts = errors.New("too few ports")

// portCount is how many ports there are to lease.
func (o Options) portCount() int { return o.Ports[1] - o.Ports[0] + 1 }

// freePorts finds n ports that nobody leases and nobody listens on. They are
// below those that the kernel hands out by itself, so that what is found free
// stays so until a replica listens.
func (s *slots) freePorts(n int) ([]int, error) {
	var ports []int
	for port := s.ports[0]; port <= s.ports[1] && len(ports) < n; port++ {
		if !s.leased(port) && listenable(port) {
			ports = append(ports, port)
		}
	}
	if len(ports) < n {
		return nil, fmt.Errorf("%w: of the ports %d to %d only %d are free and %d are needed", errNoPorts, s.ports[0], s.ports[1], len(ports), n)
	}
	return ports, nil
}

func (s *slots) leased(port int) bool {
	for _, l := range s.leases {
		if slices.Contains(l.Ports, port) {
			return true
		}
	}
	return false
}

func listenable(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
