package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/config"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve WebSocket clients (what roomgate does without a command)",
		Long: `Serves WebSocket clients on http.addr, and health, readiness and metrics on admin.addr.

It starts with a good set of settings or not at all, and then says everything that is wrong. If Redis
is away it starts, is not ready, and goes on trying.

SIGTERM or SIGINT drains: not ready at once; new clients are let in for drain.delay, until load
balancers have noticed; then the connections are closed within drain.period, each told when to
reconnect; then it exits with 0. A second signal ends it at once, with 1 if connections were cut off.

SIGHUP reads the settings again, secrets too. All that are good without a restart change at once, and
connections stay; if one is bad, nothing changes. The log says what came of it.`,
		Example: `  roomgate serve --config /etc/roomgate.yaml
  ROOMGATE_AUTH_SECRET_FILE=/run/secrets/jwt roomgate serve --redis.url redis://redis:6379
  roomgate serve --http.allowed_origins https://app.example.com --rooms.auto user:{sub}`,
		Args:        cobra.NoArgs,
		Annotations: uses(allSettings),
		RunE:        p.serve,
	}
}

func (p *program) serve(cmd *cobra.Command, _ []string) error {
	c, err := p.loadOnly(cmd)
	if err != nil {
		return err
	}
	log, level := newLogger(cmd.ErrOrStderr(), c)
	l, err := listen(c)
	if err != nil {
		return err
	}
	s, err := newServer(c, log)
	if err != nil {
		return errors.Join(err, l.close())
	}
	signals, stop := p.notify()
	defer stop()
	s.reloads.signals, stop = p.notifyReload()
	defer stop()
	s.reloads.load, s.reloads.level = func() (*config.Config, error) { return p.loadOnly(cmd) }, level
	s.announce(l)
	return s.run(cmd.Context(), l, signals)
}

// announce logs what begins, and what is better changed.
func (s *server) announce(l listeners) {
	c := s.settings()
	admin := "off"
	if l.admin != nil {
		admin = l.admin.Addr().String()
	}
	b := readBuild()
	limits := s.budget.Load()
	s.log.Info("serving",
		slog.String("version", b.version), slog.String("revision", b.revision),
		slog.String("addr", l.front.Addr().String()), slog.Bool("tls", s.certificates != nil), slog.String("path", c.HTTP.Path),
		slog.String("upstream", c.HTTP.Upstream), slog.String("admin", admin),
		slog.Any("redis", c.Redis.URL), slog.String("channel_prefix", c.Redis.ChannelPrefix),
		slog.Int("connections", limits.connections), slog.Int("handshakes", limits.handshakes), slog.Int("rooms_per_connection", c.Limits.RoomsPerConnection),
		slog.Int("message_bytes", c.Limits.MessageBytes), slog.Int("outbox_bytes", c.Limits.OutboxBytes))
	for _, warning := range c.Warnings() {
		s.log.Warn(warning)
	}
	for _, hint := range advice() {
		s.log.Info(hint)
	}
	if len(c.HTTP.AllowedOrigins) == 0 && !c.HTTP.InsecureAnyOrigin {
		s.log.Info("no origin is listed in http.allowed_origins: of web pages, only those of this very host may connect")
	}
}

// listeners are where a server is reached.
type listeners struct {
	front net.Listener
	admin net.Listener // nil: none
}

func listen(c *config.Config) (listeners, error) {
	front, err := listenOn("http.addr", c.HTTP.Addr)
	if err != nil || c.Admin.Addr == "" {
		return listeners{front: front}, err
	}
	admin, err := listenOn("admin.addr", c.Admin.Addr)
	if err != nil {
		return listeners{}, errors.Join(err, front.Close())
	}
	return listeners{front, admin}, nil
}

func listenOn(setting, addr string) (net.Listener, error) {
	// Without TCP's own keep-alive: the heartbeat of each connection finds what it would, sooner.
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: another process listens on %s: choose another address with --%s: %w", setting, addr, setting, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

func (l listeners) close() error {
	if l.admin == nil {
		return l.front.Close()
	}
	return errors.Join(l.front.Close(), l.admin.Close())
}
