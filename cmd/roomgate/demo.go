package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/config"
)

const (
	demoRoom     = "42"
	demoAddr     = "127.0.0.1:8080"
	demoAnyPort  = "127.0.0.1:0"
	demoTokenTTL = 12 * time.Hour // of the token on the terminal

	demoRedisAddr = "127.0.0.1:6379" // where a redis-cli without arguments looks
)

// demoOwn are the flags of what a demo makes itself, or does without.
var demoOwn = []string{"redis.url", "redis.url_file", "auth.secret", "auth.secret_file", "auth.jwks_url", "auth.discovery",
	"http.tls_cert_file", "http.tls_key_file", "http.tls_client_ca_file", "http.proxy_protocol", configFlag}

func (p *program) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Try roomgate, with nothing else installed",
		Long: `Serves on this machine only, with a Redis of its own (miniredis, to which a real redis-cli can publish),
a random secret, and a page on which one sees messages arrive and can send some. All of it is gone when
it ends. It reads flags and ROOMGATE_ variables, but no file; for anything else, there is roomgate serve.`,
		Example: `  roomgate demo
  roomgate demo --http.addr 127.0.0.1:3000 --admin.addr 127.0.0.1:9090`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{settingsKey: "http admin auth rooms limits gap drain log", refusesKey: strings.Join(demoOwn, " ")},
		RunE:        p.demo,
	}
}

func (p *program) demo(cmd *cobra.Command, _ []string) error {
	c, err := p.demoConfig(cmd)
	if err != nil {
		return err
	}
	token, err := mint(c, demoTicket("demo", demoTokenTTL))
	if err != nil {
		return err
	}
	redis, err := startRedis()
	if err != nil {
		return err
	}
	defer redis.close()
	c.Redis.URL = config.URL("redis://" + redis.addr)

	l, err := listen(c)
	if errors.Is(err, syscall.EADDRINUSE) && c.HTTP.Addr == demoAddr && !cmd.Flags().Changed("http.addr") {
		cmd.PrintErrf("Another process listens on %s, so this takes a free port.\n\n", demoAddr)
		c.HTTP.Addr = demoAnyPort
		l, err = listen(c)
	}
	if err != nil {
		return err
	}
	log, _ := newLogger(cmd.ErrOrStderr(), c)
	s, err := newServer(c, log)
	if err != nil {
		return errors.Join(err, l.close())
	}
	lines := demoLines{
		addr: l.front.Addr().String(), path: c.HTTP.Path, redis: redis.addr, prefix: c.Redis.ChannelPrefix, token: token,
		program: p.name(),
	}
	s.handler = demoPage{config: c, lines: lines, page: s.playground, next: http.HandlerFunc(s.front),
		simulator: &simulator{cut: s.gateway.Cut, redis: redis, channel: c.Redis.ChannelPrefix + demoRoom}}
	signals, stop := p.notify()
	defer stop()
	s.announce(l)
	if _, err := fmt.Fprint(cmd.OutOrStdout(), lines); err != nil {
		return errors.Join(err, l.close())
	}
	return s.run(cmd.Context(), l, signals)
}

// demoConfig is what flags and variables say, and for the rest what suits a demo.
func (p *program) demoConfig(cmd *cobra.Command) (*config.Config, error) {
	for _, name := range demoOwn {
		if cmd.Flags().Changed(name) {
			return nil, fmt.Errorf("--%s: a demo has its own Redis and secret, speaks plain HTTP, and reads no file: use roomgate serve", name)
		}
	}
	for _, name := range []string{"ROOMGATE_REDIS_URL", "ROOMGATE_REDIS_URL_FILE", "REDIS_URL"} {
		if p.variable(name) != "" {
			return nil, fmt.Errorf("environment %s: a demo has its own Redis: use roomgate serve, or unset it", name)
		}
	}
	c, err := (&program{environ: demoEnviron(p.environ)}).loadOnly(cmd)
	if err != nil {
		return nil, err
	}
	c.Redis.Username, c.Redis.Password, c.Redis.CAFile = "", "", ""
	for _, addr := range []string{c.HTTP.Addr, c.Admin.Addr} {
		if addr != "" && !isLoopback(addr) {
			return nil, fmt.Errorf("%s is not on loopback: a demo is for this machine only (its page hands a token to whoever asks): "+
				"use 127.0.0.1, or roomgate serve", addr)
		}
	}
	return c, nil
}

// demoEnviron puts a demo's defaults before environ, and takes out what is meant for other programs,
// and for serve.
func demoEnviron(environ []string) []string {
	defaults := []string{
		"ROOMGATE_AUTH_SECRET=" + rand.Text() + rand.Text() + rand.Text(), // 78 bytes, 390 random bits
		"ROOMGATE_HTTP_ADDR=" + demoAddr, "ROOMGATE_ADMIN_ADDR=off",
		"ROOMGATE_DRAIN_DELAY=0s", "ROOMGATE_DRAIN_PERIOD=0s",
		"ROOMGATE_LOG_LEVEL=warn", "ROOMGATE_LOG_FORMAT=text",
		"ROOMGATE_AUTH_EXPIRING=10s", "ROOMGATE_AUTH_LEEWAY=0s", // so that the end of a token is seen soon, and on time
	}
	others := []string{"JWT_SECRET", "CORS_ORIGIN", "PORT", "ROOMGATE_CONFIG", "ROOMGATE_HTTP_PROXY_PROTOCOL"}
	return append(defaults, slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(others, name) || strings.HasPrefix(name, "ROOMGATE_AUTH_") || strings.HasPrefix(name, "ROOMGATE_HTTP_TLS_")
	})...)
}

// isLoopback reports whether only this machine can reach addr, a host and port.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// demoTicket lets its holder into the demo's room, and into those of a pattern if they are asked for,
// to listen and to publish.
func demoTicket(sub string, ttl time.Duration) ticket {
	rooms := []string{demoRoom, "chat:*"}
	return ticket{sub: sub, rooms: rooms, publish: rooms, ttl: ttl}
}
