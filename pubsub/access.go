package pubsub

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/roomgate/roomgate/internal/nowait"
	"github.com/roomgate/roomgate/internal/redisurl"
)

// An access is how any connection to Redis is opened and authenticated, wherever that Redis is.
type access struct {
	o   Options
	url redisurl.URL
	tls *tls.Config // nil without TLS; its ServerName is empty

	conns conns // of the pools
}

// A server is one that can be connected to.
type server struct {
	addr string // host:port, or the path of a socket
	name string // what its certificate is for; empty: the host in addr
}

func (s server) String() string { return s.addr }

// LogValue is that of the log, which in JSON has no use for a String.
func (s server) LogValue() slog.Value { return slog.StringValue(s.addr) }

func newAccess(o Options) (*access, error) {
	u, err := redisurl.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	a := &access{o: o, url: u}
	switch {
	case u.Mode != redisurl.Sentinel && (o.SentinelUsername != "" || o.SentinelPassword != "" || o.SentinelPasswordFile != ""):
		return nil, errors.New("redis: a user or password for Sentinels is given, but the URL does not begin with redis+sentinel://")
	case !u.TLS && (o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""):
		return nil, errors.New("redis: an authority's file or a certificate is given, but the URL does not begin with rediss")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("redis: a certificate and its key are needed both, or neither")
	}
	if u.TLS {
		if a.tls, err = o.tlsConfig(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (o Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if o.CAFile != "" {
		if c.RootCAs, err = readAuthorities(o.CAFile); err != nil {
			return nil, fmt.Errorf("redis authorities: %w", err)
		}
	}
	if o.CertFile == "" {
		return c, nil
	}
	read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("redis client certificate: %w", err)
		}
		return &cert, nil
	}
	if _, err := read(nil); err != nil {
		return nil, err
	}
	c.GetClientCertificate = read // at each handshake, so that a renewed one is used by the next connection
	return c, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}

// options are those of every client. Its Dialer and Addr are its place's.
func (a *access) options() *redis.Options {
	timeout := a.o.timeout()
	return &redis.Options{
		CredentialsProviderContext: a.credentials,

		DialTimeout:  timeout,
		ReadTimeout:  timeout,
		WriteTimeout: timeout,

		ContextTimeoutEnabled: true,
		DialerRetries:         1,
		MaxRetries:            -1, // a PUBLISH sent twice arrives twice
		PipelinePoolSize:      -1, // the few pipelines, of Exists, need no pool of their own

		// RESP3's push frames are of no use here, and HELLO and AUTH, which every user may send,
		// are all that a connection then needs.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// user is who a connection authenticates as; empty means the default user.
func (a *access) user() string { return cmp.Or(a.o.Username, a.url.Username) }

// credentials are those of a new connection to Redis.
func (a *access) credentials(context.Context) (user, password string, err error) {
	password, err = passwordNow(a.o.PasswordFile, cmp.Or(a.o.Password, a.url.Password))
	return a.user(), password, err
}

// errPassword is a password that could not be read.
var errPassword = errors.New("no password")

// passwordNow is what file holds at this moment, without a line's end; or else fallback, if there is no file. A file
// that cannot be read is an error: a password that was taken back must not be used on.
func passwordNow(file, fallback string) (string, error) {
	if file == "" {
		return fallback, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPassword, err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if password == "" {
		return "", fmt.Errorf("%w: %s is empty", errPassword, file)
	}
	return password, nil
}

// connect opens the connection below TLS.
func (a *access) connect(ctx context.Context, s server) (net.Conn, error) {
	network := "tcp"
	if a.url.Mode == redisurl.Socket {
		network = "unix"
	}
	d := &net.Dialer{Timeout: a.o.timeout()}
	conn, err := d.DialContext(ctx, network, s.addr)
	if err != nil {
		return nil, err
	}
	return nowait.Wrap(conn), nil
}

// secure does the TLS handshake with s on conn, if there is to be TLS. It closes conn on an error. go-redis's own
// dialer would do it without the context.
func (a *access) secure(ctx context.Context, s server, conn net.Conn) (net.Conn, error) {
	if a.tls == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.timeout())
	defer cancel()
	config := a.tls.Clone()
	if config.ServerName = s.name; s.name == "" {
		host, _, err := net.SplitHostPort(s.addr)
		if err != nil {
			conn.Close()
			return nil, err
		}
		config.ServerName = host
	}
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return c, nil
}

// dial is connect and secure.
func (a *access) dial(ctx context.Context, s server) (net.Conn, error) {
	conn, err := a.connect(ctx, s)
	if err != nil {
		return nil, err
	}
	return a.secure(ctx, s, conn)
}

// dialKept is dial, of a connection that conns.closeAll closes. turn is that of conns before s was picked.
func (a *access) dialKept(ctx context.Context, s server, turn int) (net.Conn, error) {
	below, err := a.connect(ctx, s)
	if err != nil {
		return nil, err
	}
	conn, err := a.secure(ctx, s, below)
	if err != nil {
		return nil, err
	}
	return a.conns.keep(conn, below, turn)
}

// clientOf makes a client of s alone, with one connection, which may be of any role.
func (a *access) clientOf(s server) *redis.Client { return a.poolOf(s, 1) }

// poolOf makes a client of s alone, with at most size connections; 0 means go-redis's default.
func (a *access) poolOf(s server, size int) *redis.Client {
	ro := a.options()
	ro.Addr, ro.PoolSize = s.addr, size
	ro.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, s) }
	return redis.NewClient(ro)
}
