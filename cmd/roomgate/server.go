package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/gateway"
	"github.com/roomgate/roomgate/pubsub"
)

// Limits of the HTTP servers that no setting changes.
const (
	maxHeaderBytes = 32 << 10 // of a request: a token has 8 KB at most
	idleTimeout    = time.Minute
	adminTimeout   = 10 * time.Second // for the headers of a request to the admin listener
)

// A server is one replica: its parts, wired together. All fields but draining are set before run.
type server struct {
	config  *config.Config
	limit   int // of connections
	log     *slog.Logger
	metrics *prometheus.Registry
	broker  *pubsub.Broker
	tokens  *auth.Verifier
	gateway *gateway.Gateway
	handler http.Handler // of http.addr

	draining atomic.Bool
}

// newServer makes what c asks for. It connects to nothing and listens nowhere.
func newServer(c *config.Config, log *slog.Logger) (*server, error) {
	files, err := openFileLimit()
	if err != nil {
		return nil, err
	}
	s := &server{config: c, log: log, metrics: newRegistry()}
	if s.limit, err = connectionLimit(c.Limits.Connections, files); err != nil {
		return nil, err
	}
	toRedis := pubsubOptions(c)
	toRedis.Log, toRedis.Metrics = log, s.metrics
	if s.broker, err = pubsub.New(toRedis); err != nil {
		return nil, err
	}
	if s.tokens, err = newVerifier(c, s.broker, log, s.metrics); err != nil {
		return nil, err
	}
	toClients := gatewayOptions(c, s.limit, log, s.metrics)
	toClients.Rooms, toClients.Tokens = s.broker, s.tokens
	if s.gateway, err = gateway.New(toClients); err != nil {
		return nil, err
	}
	s.handler = http.HandlerFunc(s.front)
	return s, nil
}

// front serves http.addr: the gateway on its path and below, and nothing else.
func (s *server) front(w http.ResponseWriter, r *http.Request) {
	path := s.config.HTTP.Path
	if r.URL.Path == path || strings.HasPrefix(r.URL.Path, strings.TrimSuffix(path, "/")+"/") {
		s.gateway.ServeHTTP(w, r)
		return
	}
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "nothing is here: WebSocket connections are served on " + path})
}

// ready returns why this replica should get no new clients, or nil.
func (s *server) ready() error {
	if s.draining.Load() {
		return errors.New("draining")
	}
	return errors.Join(s.broker.Ready(), s.tokens.Ready())
}

func (s *server) frontServer() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.config.HTTP.HandshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		IdleTimeout:       idleTimeout,
		ErrorLog:          httpLog(s.log),
	}
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
