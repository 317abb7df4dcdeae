package pubsub

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// dropper is a node of a Cluster of one that closes the connection over which a message is published, as a network
// does, after it had it.
type dropper struct {
	net.Listener
	published atomic.Int64
	conns     sync.WaitGroup
}

func newDropper(t *testing.T) *dropper {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dropper{Listener: l}
	d.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.conns.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		d.conns.Wait() // each ends with its client
	})
	return d
}

func (d *dropper) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		switch strings.ToLower(args[0]) {
		case "cluster":
			host, port, _ := net.SplitHostPort(d.Addr().String())
			_, _ = fmt.Fprintf(conn, "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$%d\r\n%s\r\n:%s\r\n$1\r\nx\r\n", len(host), host, port)
		case "spublish":
			d.published.Add(1)
			return
		default:
			_, _ = fmt.Fprintf(conn, "-ERR unknown command\r\n")
		}
	}
}

// readCommand reads an array of strings.
func readCommand(r *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := number()
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(r, arg); err != nil {
			return nil, err
		}
		args[i] = string(arg[:size])
	}
	return args, nil
}

func TestACommandIsSentOnceThroughARoutedClient(t *testing.T) {
	d := newDropper(t)
	a, err := newAccess(fastAt("redis+cluster://" + d.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	c := a.routed()
	defer c.Close()
	cmd := redis.NewIntCmd(t.Context(), "spublish", "a", "x")
	if err := c.Process(t.Context(), once{cmd}); err == nil {
		t.Error("no error of a connection that was closed")
	}
	if got := d.published.Load(); got != 1 {
		t.Errorf("it was sent %d times, want once", got)
	}
}
