package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	dialTime      = 30 * time.Second // for one client to be ready
	dialsUnderWay = 64
	perSource     = 10_000  // clients from one loopback address
	sourcesMost   = 254 * 8 // loopback addresses
	readSize      = 2 << 10 // bytes of a client's buffer until it is ready
)

// dialAll connects all clients. It ends with the first error, or with ctx.
func (c *Clients) dialAll(ctx context.Context) error {
	g, dialling := errgroup.WithContext(ctx)
	g.SetLimit(max(dialsUnderWay, c.o.ConnectRate)) // a rate needs as many under way as it has a round trip for
	began := time.Now()
	for i := range c.o.Connections {
		if c.o.ConnectRate > 0 {
			due := began.Add(time.Duration(float64(i) / float64(c.o.ConnectRate) * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-dialling.Done():
			}
		}
		if dialling.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := c.dial(dialling, i); err != nil {
				return fmt.Errorf("client %d: %w", i, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// dial connects client i, and hands it over once it is ready.
func (c *Clients) dial(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	d := net.Dialer{LocalAddr: c.source(i)}
	nc, err := d.DialContext(ctx, "tcp", c.addr)
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL) && d.LocalAddr != nil:
		return fmt.Errorf("connecting to %s from %v: %w: more sources are needed, each has some 28,000 ports", c.addr, d.LocalAddr, err)
	case err != nil:
		return fmt.Errorf("connecting: %w", err)
	}
	cl := &client{number: i, room: uint32(i % c.o.rooms()), ready: c.o.Ready == nil}
	if nc, err = c.upgrade(ctx, cl, nc); err != nil {
		nc.Close()
		return err
	}
	return c.fleet.adopt(cl, nc)
}

// source returns the address that client i connects from; nil: the system's choice.
func (c *Clients) source(i int) net.Addr {
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil || runtime.GOOS != "linux" { // elsewhere only 127.0.0.1 is a loopback address
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.Is4() || !ip.IsLoopback()) {
		return nil
	}
	n := c.o.Sources
	if n == 0 {
		n = (c.o.Connections + perSource - 1) / perSource
		if n == 1 {
			return nil
		}
	}
	s := i % min(n, sourcesMost)
	return &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+s/254), byte(1+s%254))}
}

// upgrade makes nc a WebSocket connection on which cl is ready. The connection that it returns is nc,
// or TLS over it; it is to be closed by the caller, also after an error.
func (c *Clients) upgrade(ctx context.Context, cl *client, nc net.Conn) (net.Conn, error) {
	tcp := nc                                                                       // nc may become TLS over it
	stop := context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) }) // ends what waits
	defer stop()
	if c.url.Scheme == "wss" {
		config := c.o.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName = c.url.Hostname()
		}
		config.NextProtos = []string{"http/1.1"}
		nc = tls.Client(nc, config)
	}
	err := c.handshake(cl, nc)
	if err == nil {
		err = c.await(cl, nc)
	}
	if err != nil && ctx.Err() != nil { // what failed did so for that
		err = ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("not ready within %v", dialTime)
		}
	}
	return nc, err
}

// await sends what a client says first, and reads until it is ready.
func (c *Clients) await(cl *client, nc net.Conn) error {
	if c.o.Hello != nil {
		var frames []byte
		for _, text := range c.o.Hello(cl.number, c.o.roomName(int(cl.room))) {
			frames = appendFrame(frames, opText, text)
		}
		if _, err := nc.Write(frames); err != nil {
			return fmt.Errorf("sending what a client says first: %w", err)
		}
	}
	for buf := make([]byte, readSize); !cl.ready; {
		n, err := nc.Read(buf)
		if n > 0 {
			err = errors.Join(c.hand(cl, nc, buf[:n]), err)
		}
		switch {
		case cl.ready && err == nil:
		case errors.Is(err, io.EOF):
			return &Refused{Code: 1006, Reason: "before the client was ready"}
		case err != nil:
			return fmt.Errorf("waiting to be ready: %w", err)
		}
	}
	return nil
}

// hand lets cl take b, and sends what it answers.
func (c *Clients) hand(cl *client, nc net.Conn, b []byte) error {
	answer, err := c.take(cl, b, c.clock(), nil)
	if len(answer) > 0 {
		if _, failed := nc.Write(answer); failed != nil && err == nil {
			err = fmt.Errorf("answering: %w", failed)
		}
	}
	return err
}
