package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/roomgate/roomgate/config"
)

// trusts reports whether addr is one of http.trusted_proxies.
func trusts(c *config.Config, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("") // as the settings spell it
	for _, network := range c.HTTP.TrustedProxies {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// A proxyListener takes from trusted proxies, if http.proxy_protocol is on, the client's address
// that they send ahead of its bytes. Of anybody else nothing is expected: a PROXY header from
// there is a malformed request.
type proxyListener struct {
	net.Listener
	settings func() *config.Config // those of now
	log      *slog.Logger
	sampler  sampler // of headers that could not be read
}

// Accept does not wait for the header: one slow proxy would hold up all.
func (l *proxyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := l.settings()
	tcp, ok := nc.(*net.TCPConn)
	if !ok || !c.HTTP.ProxyProtocol || !trusts(c, peerOf(tcp).Addr()) {
		return nc, nil
	}
	return &proxiedConn{TCPConn: tcp, listener: l, timeout: c.HTTP.HandshakeTimeout}, nil
}

// peerOf is who has connected.
func peerOf(tcp *net.TCPConn) netip.AddrPort {
	addr, _ := tcp.RemoteAddr().(*net.TCPAddr)
	return addr.AddrPort() // of no address: the zero AddrPort
}

// A proxiedConn is a connection that begins with a PROXY header. The header is read by the first
// RemoteAddr or Read, which net/http calls in the connection's own goroutine, before it sets a
// deadline. After that the connection is its TCPConn, but for the address.
type proxiedConn struct {
	*net.TCPConn
	listener *proxyListener
	timeout  time.Duration // for the header to come

	header sync.Once // guards what follows
	remote net.Addr
}

// TCP is for the gateway, which then reads and writes past us.
func (c *proxiedConn) TCP() *net.TCPConn { return c.TCPConn }

// Read reads what follows the header. If there was none, the connection is closed.
func (c *proxiedConn) Read(b []byte) (int, error) {
	c.header.Do(c.readHeader)
	return c.TCPConn.Read(b)
}

// RemoteAddr is the client's address, or the peer's if the header names none.
func (c *proxiedConn) RemoteAddr() net.Addr {
	c.header.Do(c.readHeader)
	return c.remote
}

func (c *proxiedConn) readHeader() {
	c.remote = c.TCPConn.RemoteAddr()
	err := c.SetReadDeadline(time.Now().Add(c.timeout))
	var source netip.AddrPort
	if err == nil {
		source, err = readProxyHeader(c.TCPConn)
	}
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close() // what is not understood is not served
		c.listener.complain(c.remote, err)
		return
	}
	if source.IsValid() {
		c.remote = net.TCPAddrFromAddrPort(source)
	}
}

// complain tells of a trusted proxy whose header is missing or malformed: all of its clients are
// kept out. A connection that ends before it has begun is a load balancer's probe.
func (l *proxyListener) complain(from net.Addr, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	l.sampler.log(l.log, slog.LevelWarn, "a connection from a trusted proxy was closed: http.proxy_protocol is on, and it began with no good PROXY header",
		slog.String("event", "proxy_header_refused"), slog.String("addr", from.String()), slog.String("error", err.Error()))
}
