package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/gateway"
	"github.com/roomgate/roomgate/internal/history"
	"github.com/roomgate/roomgate/pubsub"
	"github.com/roomgate/roomgate/web"
)

// Limits of the HTTP servers that no setting changes.
const (
	maxHeaderBytes = 32 << 10 // of a request: a token has 8 KB at most
	idleTimeout    = time.Minute
	adminTimeout   = 10 * time.Second // for the headers of a request to the admin listener
)

// A server is one replica: its parts, wired together. All fields but the atomic ones are set
// before run.
type server struct {
	log          *slog.Logger
	metrics      *prometheus.Registry
	broker       *pubsub.Broker
	gateway      *gateway.Gateway
	certificates *certificates // nil: no TLS
	upstream     *upstream     // nil: none
	playground   *web.Page     // served if http.playground is on
	handler      http.Handler  // of http.addr
	hints        sampler       // of proxies that are not trusted
	handshakes   handshakes    // of http.addr
	reloads      reloads
	started      time.Time
	recent       *recent          // lines of log
	history      *history.History // of metrics; it runs while there is an admin listener
	tops         tops
	operator     *web.Page // shows all that

	config   atomic.Pointer[config.Config] // replaced by a reload, as are the next two
	budget   atomic.Pointer[budget]
	tokens   atomic.Pointer[auth.Verifier]
	draining atomic.Bool
	drained  atomic.Pointer[drainOverview] // what is drained, but for how far; nil: nothing yet
}

// newServer makes what c asks for. It connects to nothing and listens nowhere.
func newServer(c *config.Config, log *slog.Logger) (*server, error) {
	s := &server{metrics: newRegistry(), started: time.Now(), recent: newRecent()}
	log = slog.New(slog.NewMultiHandler(log.Handler(), s.recent))
	s.log, s.history = log, newHistory(s.metrics)
	s.config.Store(c)
	limits, err := s.limits(c)
	if err != nil {
		return nil, err
	}
	s.budget.Store(limits)
	if s.operator, err = web.Operator(); err != nil {
		return nil, err
	}
	if s.certificates, err = newCertificates(c, log, s.metrics); err != nil {
		return nil, err
	}
	if s.upstream, err = newUpstream(c, s); err != nil {
		return nil, err
	}
	if s.playground, err = web.Playground(); err != nil {
		return nil, err
	}
	toRedis := pubsubOptions(c)
	toRedis.Log, toRedis.Metrics = log, s.metrics
	if s.broker, err = pubsub.New(toRedis); err != nil {
		return nil, err
	}
	verifier, err := newVerifier(c, s.broker, log, s.metrics)
	if err != nil {
		return nil, err
	}
	s.tokens.Store(verifier)
	toClients := gatewayOptions(c, limits.connections, log, s.metrics)
	toClients.Rooms, toClients.Tokens = s.broker, verifier
	if s.gateway, err = gateway.New(toClients); err != nil {
		return nil, err
	}
	s.handshakes.budget, s.handshakes.exceeded = s.budget.Load, s.gateway.CountExceeded
	s.reloads.count = newReloadCounter(s.metrics)
	s.handler = http.HandlerFunc(s.front)
	return s, nil
}

// settings are those of now. What is done as one takes them once.
func (s *server) settings() *config.Config { return s.config.Load() }

// limits is what c and the limit of open files allow.
func (s *server) limits(c *config.Config) (*budget, error) {
	files, err := openFileLimit()
	if err != nil {
		return nil, err
	}
	return newBudget(c, files)
}

// front serves http.addr: the gateway on its path and below, the playground if it is on, and the
// upstream, if there is one, on all others.
func (s *server) front(w http.ResponseWriter, r *http.Request) {
	s.hintAtProxy(r)
	c := s.settings()
	path := c.HTTP.Path
	switch {
	case r.URL.Path == path || strings.HasPrefix(r.URL.Path, strings.TrimSuffix(path, "/")+"/"):
		s.gateway.ServeHTTP(w, r)
	case isForPlayground(c, r.URL.Path):
		s.servePlayground(w, r)
	case s.upstream != nil:
		s.upstream.ServeHTTP(w, r)
	default:
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "nothing is here: WebSocket connections are served on " + path})
	}
}

// secured is l with what the settings put between TCP and HTTP: the PROXY header comes first,
// and then TLS.
func (s *server) secured(l net.Listener) net.Listener {
	l = &proxyListener{Listener: l, settings: s.settings, log: s.log}
	if s.certificates != nil {
		l = tls.NewListener(l, s.certificates.serverConfig())
	}
	return l
}

// ready returns why this replica should get no new clients, or nil. If auth.revoked is on it asks
// Redis, for as long as ctx allows.
func (s *server) ready(ctx context.Context) error {
	if s.draining.Load() {
		return errors.New("draining")
	}
	err := errors.Join(s.broker.Ready(), s.tokens.Load().Ready())
	if c := s.settings(); err == nil && c.Auth.Revoked {
		if err = s.broker.TryExists(ctx, c.Auth.RevokedPrefix); err != nil {
			err = fmt.Errorf("auth.revoked: redis: %w", err)
		}
	}
	return err
}

func (s *server) frontServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // alone: a connection of HTTP/2 cannot be taken over for a WebSocket
	server := &http.Server{
		Protocols:         protocols,
		Handler:           http.HandlerFunc(s.handle),
		ReadHeaderTimeout: s.settings().HTTP.HandshakeTimeout, // and of TLS, together
		MaxHeaderBytes:    maxHeaderBytes,
		IdleTimeout:       idleTimeout,
		ErrorLog:          httpLog(s.log),
	}
	s.handshakes.watch(server, server.ReadHeaderTimeout)
	return server
}

// handle lets a request be handled, and bounds what may follow: net/http reads what is left of the
// request's body, which may never come, and writes the answer, which may never be read.
func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	h, ok := s.handshakes.begin(r)
	if !ok {
		panic(http.ErrAbortHandler) // closed a moment ago, as the oldest of too many
	}
	defer func() {
		if s.handshakes.enter(h) { // not hijacked
			now, patience := time.Now(), s.settings().HTTP.HandshakeTimeout
			_ = h.conn.SetReadDeadline(now.Add(patience)) // if it fails, so will what it is for
			_ = h.conn.SetWriteDeadline(now.Add(2 * patience))
		}
	}()
	s.handler.ServeHTTP(w, r)
}

func (s *server) adminServer() *http.Server {
	return &http.Server{
		Handler:           s.adminHandler(),
		ReadHeaderTimeout: adminTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		IdleTimeout:       idleTimeout,
		ErrorLog:          httpLog(s.log),
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}
