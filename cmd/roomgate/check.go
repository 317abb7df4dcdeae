package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/pubsub"
)

func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check settings, secrets, open files and Redis, and say all that is wrong",
		Long: `Checks what serve would start with: the settings, the strength of the secrets, whether public keys
can be fetched, the certificate, the limit of open files, and whether Redis lets this user do all that
roomgate does. One line each; the exit code is 1 if one of them begins with FAIL. Before a SIGHUP it
says whether the new settings would be taken over.`,
		Example: `  roomgate check --config /etc/roomgate.yaml`,
		Args:    cobra.NoArgs, Annotations: uses(allSettings),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &report{w: cmd.OutOrStdout()}
			p.checkSettings(cmd, r)
			p.checkKeys(cmd, r)
			p.checkCertificate(cmd, r)
			p.checkOpenFiles(cmd, r)
			checkMemory(r)
			p.checkRedis(cmd, r)
			if r.failed > 0 {
				return fmt.Errorf("%d of these must be put right before roomgate can serve", r.failed)
			}
			return nil
		},
	}
}

// A report is the lines of a check.
type report struct {
	w      io.Writer
	failed int
}

func (r *report) ok(item, format string, args ...any)   { r.line("ok", item, format, args) }
func (r *report) warn(item, format string, args ...any) { r.line("warn", item, format, args) }

func (r *report) fail(item string, err error) {
	for line := range strings.Lines(err.Error()) {
		r.failed++
		r.line("FAIL", item, "%s", []any{strings.TrimSuffix(line, "\n")})
	}
}

func (r *report) line(level, item, format string, args []any) {
	_, _ = fmt.Fprintf(r.w, "%-4s  %-10s  %s\n", level, item, fmt.Sprintf(format, args...)) // the exit code says it too
}

func (p *program) checkSettings(cmd *cobra.Command, r *report) {
	c, err := p.loadOnly(cmd)
	if err != nil {
		r.fail("settings", err)
		return
	}
	r.ok("settings", "all are good")
	for _, warning := range c.Warnings() {
		r.warn("settings", "%s", warning)
	}
	for _, issuer := range c.Auth.Issuers {
		reportIssuer(r, issuer)
	}
}

// reportIssuer says where the keys of an issuer come from.
func reportIssuer(r *report, issuer config.Issuer) {
	name := ""
	if issuer.Issuer != "" {
		name = issuer.Issuer + ": "
	}
	if len(issuer.Secrets) == 0 {
		from := issuer.JWKSURL
		if issuer.Discovery {
			from = "its discovery document"
		}
		r.ok("keys", "%spublic keys by %s", name, from)
		return
	}
	shortest := len(issuer.Secrets[0])
	for _, secret := range issuer.Secrets {
		shortest = min(shortest, len(secret))
	}
	r.ok("secret", "%s%d, the shortest of %d bytes", name, len(issuer.Secrets), shortest)
}

// checkKeys fetches the public keys that serve would verify with.
func (p *program) checkKeys(cmd *cobra.Command, r *report) {
	c, err := p.loadDespite(cmd, "auth", "rooms")
	if err != nil || !fetchesKeys(c) {
		return // checkSettings has told it; or there is nothing to fetch
	}
	verifier, stop, err := runVerifier(cmd.Context(), c)
	if err != nil {
		r.fail("keys", err)
		return
	}
	defer stop()
	if err := verifier.Ready(); err != nil {
		r.fail("keys", err)
		return
	}
	r.ok("keys", "the public keys of every issuer were fetched")
}

// checkCertificate reads the files that serve would read.
func (p *program) checkCertificate(cmd *cobra.Command, r *report) {
	const item = "certificate"
	c, err := p.loadDespite(cmd, "http")
	if err != nil {
		return // checkSettings has told it
	}
	k, err := newCertificates(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	switch {
	case err != nil:
		r.fail(item, err)
	case k == nil: // no TLS
	case time.Now().After(k.current.Load().until):
		r.warn(item, "that of http.tls_cert_file has expired, at %v", k.current.Load().until)
	default:
		r.ok(item, "that of http.tls_cert_file is good until %v, and goes with its key", k.current.Load().until)
	}
}

// checkMemory says what serve says at its start.
func checkMemory(r *report) {
	for _, hint := range memoryAdvice(os.DirFS("/"), debug.SetMemoryLimit(-1)) {
		r.warn("memory", "%s", hint)
	}
}

// fewConnections is what looks like a forgotten limit of open files.
const fewConnections = 10_000

func (p *program) checkOpenFiles(cmd *cobra.Command, r *report) {
	const item = "open files"
	c, err := p.loadDespite(cmd, "limits")
	if err != nil {
		return // checkSettings has told it
	}
	files, err := openFileLimit()
	if err != nil {
		r.fail(item, err)
		return
	}
	limits, err := newBudget(c, files)
	switch {
	case err != nil:
		r.fail(item, err)
	case c.Limits.Connections == 0 && limits.connections < fewConnections:
		r.warn(item, "the limit is %d, enough for %d connections: raise it for more (ulimit -n, LimitNOFILE= in systemd)", files, limits.connections)
	default:
		r.ok(item, "the limit is %d, and %d connections may be held", files, limits.connections)
	}
}

func (p *program) checkRedis(cmd *cobra.Command, r *report) {
	c, err := p.loadDespite(cmd, "redis", "control")
	if err != nil {
		return // checkSettings has told it
	}
	began := time.Now()
	found, err := pubsub.Probe(cmd.Context(), pubsubOptions(c))
	if err != nil {
		r.fail("redis", fmt.Errorf("%v: %w", c.Redis.URL, err))
		return
	}
	if c.Auth.Revoked {
		ctx, cancel := context.WithTimeout(cmd.Context(), c.Redis.Timeout)
		defer cancel()
		if err := pubsub.ProbeExists(ctx, pubsubOptions(c), c.Auth.RevokedPrefix); err != nil {
			r.fail("redis", fmt.Errorf("%v: auth.revoked: %w", c.Redis.URL, err))
			return
		}
	}
	r.ok("redis", "%v delivers what is published there (%s); tried in %v", c.Redis.URL, found, time.Since(began).Round(time.Millisecond))
}
