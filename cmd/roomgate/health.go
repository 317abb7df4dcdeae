package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTime is how long health waits by default: longer than /readyz takes, shorter than who asks waits.
const healthTime = 2 * time.Second

func (p *program) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a roomgate on this machine whether it is ready",
		Long: `Asks /readyz of the roomgate that serves on this machine, at admin.addr. The exit code is 0 if it is
ready, and 1 if it is not or does not answer; the line says why. For where there is no curl: it is the
HEALTHCHECK of the image. Give it the admin.addr that serve has.`,
		Example: `  roomgate health
  ROOMGATE_ADMIN_ADDR=:9100 roomgate health`,
		Args: cobra.NoArgs, Annotations: uses("admin"),
		RunE: p.health,
	}
	cmd.Flags().Duration("timeout", healthTime, "how long to wait for the answer")
	return cmd
}

func (p *program) health(cmd *cobra.Command, _ []string) error {
	timeout, err := cmd.Flags().GetDuration("timeout")
	if err != nil {
		return err
	}
	c, err := p.loadDespite(cmd, "admin") // what else was broken since serve began is not its end
	if err != nil {
		return err
	}
	if c.Admin.Addr == "" {
		return errors.New("admin.addr is off: health asks there. Set it, for serve and for this, such as --admin.addr 127.0.0.1:9090")
	}
	if strings.HasSuffix(c.Admin.Addr, ":0") {
		return errors.New("admin.addr has port 0, which is another at each start: give the one that serve has logged")
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	if err := askReady(ctx, c.Admin.Addr); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "ready")
	return err
}

// askReady returns nil if the roomgate whose admin listener is at addr is ready, and else why not.
func askReady(ctx context.Context, addr string) error {
	const most = 4096 // bytes of an answer
	// A dialer takes an address without a host, or with one such as 0.0.0.0, for this machine's.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("admin.addr: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy, whatever the environment says
	response, err := transport.RoundTrip(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %s in time: the process or its machine is stuck, or --timeout is too short", addr)
	}
	if err != nil {
		return fmt.Errorf("%w: nothing serves there, or with another admin.addr", err)
	}
	defer response.Body.Close()
	var answer struct {
		Ready  *bool
		Reason string
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", addr, err)
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil || answer.Ready == nil:
		return fmt.Errorf("%s answers %s, and not as roomgate does: another program has that port, or admin.addr is another's", addr, response.Status)
	case !*answer.Ready:
		return fmt.Errorf("not ready: %s", answer.Reason)
	}
	return nil
}
