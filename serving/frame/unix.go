package frame

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket is the name of a worker's socket in its process folder.
const Socket = "predict.sock"

// Listen listens on the socket of a process folder, in place of one that an
// earlier process left behind. The folder's path may be longer than the 108
// bytes that a socket's address can hold.
func Listen(dir string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(dir, Socket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	folder, address, err := shortAddress(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	// The address means nothing once the folder is closed.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}

// Dial connects to the socket of a process folder.
func Dial(ctx context.Context, dir string) (*Conn, error) {
	folder, address, err := shortAddress(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the worker in %s: %w", dir, err)
	}
	return NewConn(c.(*net.UnixConn))
}

// shortAddress gives a short path of the socket, valid as long as the folder is
// open.
func shortAddress(dir string) (*os.File, string, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), "/proc/self/fd/" + strconv.Itoa(fd) + "/" + Socket, nil
}

// PeerPID gives the process that listens at the other end of a connection that
// Dial made, 0 if that cannot be told.
func (c *Conn) PeerPID() int {
	pid := 0
	// An error means that the connection is closed: then there is no peer.
	_ = c.wait.raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}
