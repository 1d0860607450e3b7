package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket is the name of a worker's channel in its process folder.
const Socket = "lend.sock"

// protocol is the version of messages and page; ends that differ do not talk.
const protocol = 1

type kind byte

// The kinds of messages.
const (
	// hello opens a channel: the daemon's protocol, and the page's descriptor.
	hello kind = 1 + iota
	// lend hands a connection to the worker, with its descriptor.
	lend
	// back returns one, with the bytes of a request.
	back
	// refused is back for the reason Refused.
	refused
	// closed says that a connection has ended.
	closed
	// orphan is back for a connection that an earlier daemon lent: with its
	// descriptor, since this daemon has none.
	orphan
	// strayed is back for the reason Strayed.
	strayed
)

// Reason is why a connection comes back: the kind of the message that returns it.
type Reason kind

const (
	// Changed: its next request is for something else, or what was decided when it
	// was lent does not hold any more.
	Changed = Reason(back)
	// Refused: the worker does not answer such a request as its next one; the
	// connection must not be lent with it again.
	Refused = Reason(refused)
	// Strayed: its client asks for one thing and soon for another, so that lending
	// it costs more than it saves.
	Strayed = Reason(strayed)
)

// message is the head of every packet: kind, slot, method, epoch, in 10 bytes.
type message struct {
	kind   kind
	slot   uint32
	method uint8
	epoch  uint32
}

const messageSize = 10

// maxPacket is the most bytes of a packet: a head and as much of a body as is read
// with it.
const maxPacket = messageSize + MaxHead + readSize

func (m message) append(b []byte) []byte {
	b = append(b, byte(m.kind))
	b = binary.LittleEndian.AppendUint32(b, m.slot)
	b = append(b, m.method)
	return binary.LittleEndian.AppendUint32(b, m.epoch)
}

func parseMessage(b []byte) (m message, data []byte, err error) {
	if len(b) < messageSize {
		return m, nil, fmt.Errorf("a message of %d bytes", len(b))
	}
	m = message{kind(b[0]), binary.LittleEndian.Uint32(b[1:]), b[5], binary.LittleEndian.Uint32(b[6:])}
	return m, b[messageSize:], nil
}

// channel sends and receives messages.
type channel struct {
	conn *net.UnixConn
	buf  []byte // of the one goroutine that receives
}

// send sends a message with data, and a descriptor unless fd is negative. It may
// be called from many goroutines.
func (c *channel) send(m message, data []byte, fd int) error {
	packet := append(m.append(make([]byte, 0, messageSize+len(data))), data...)
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	_, _, err := c.conn.WriteMsgUnix(packet, rights, nil)
	return err
}

// receive waits for a message; fd is -1 if it has no descriptor. data is valid
// until the next call. The end of the channel is io.EOF.
func (c *channel) receive() (m message, data []byte, fd int, err error) {
	if c.buf == nil {
		c.buf = make([]byte, maxPacket)
	}
	var rights [64]byte
	n, nRights, flags, _, err := c.conn.ReadMsgUnix(c.buf, rights[:])
	if err != nil {
		return m, nil, -1, err
	}
	if n == 0 {
		return m, nil, -1, io.EOF
	}
	if fd, err = oneDescriptor(rights[:nRights]); err != nil {
		return m, nil, -1, err
	}
	if m, data, err = parseMessage(c.buf[:n]); err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message that was cut off")
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
	}
	return m, data, fd, err
}

func oneDescriptor(rights []byte) (int, error) {
	if len(rights) == 0 {
		return -1, nil
	}
	parsed, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return -1, err
	}
	fd := -1
	for i := range parsed {
		fds, err := unix.ParseUnixRights(&parsed[i])
		if err != nil {
			return -1, err
		}
		for _, each := range fds {
			unix.CloseOnExec(each)
			if fd >= 0 {
				unix.Close(each) // nobody sends more than one
				continue
			}
			fd = each
		}
	}
	return fd, nil
}

// tcpOf makes a connection of a descriptor, which it takes over.
func tcpOf(fd int) (*net.TCPConn, error) {
	file := os.NewFile(uintptr(fd), "lent")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		c.Close()
		return nil, errors.New("the descriptor is of no TCP connection")
	}
	return t, nil
}

// address gives a short path of the socket in a folder, valid while the folder is
// open: a socket's address has room for 108 bytes only.
func address(dir string) (*os.File, *net.UnixAddr, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), &net.UnixAddr{Net: "unixpacket", Name: "/proc/self/fd/" + strconv.Itoa(fd) + "/" + Socket}, nil
}

// listen listens in a folder, in place of what an earlier process left there.
func listen(dir string) (*net.UnixListener, error) {
	if err := os.Remove(filepath.Join(dir, Socket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	folder, addr, err := address(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	l, err := net.ListenUnix(addr.Net, addr)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the address means nothing once the folder is closed
	return l, nil
}
