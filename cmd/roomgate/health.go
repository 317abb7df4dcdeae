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
HEALTHCHECK of the image. Give it the admin.addr that serve has.

Who restarts what is not healthy should ask with --live: without Redis a gateway is not ready, but its
connections stay, and a restart would end them.`,
		Example: `  roomgate health
  ROOMGATE_ADMIN_ADDR=:9100 roomgate health --live`,
		Args: cobra.NoArgs, Annotations: uses("admin"),
		RunE: p.health,
	}
	cmd.Flags().Bool("live", false, "ask /healthz: whether the process answers, whatever Redis does")
	cmd.Flags().Duration("timeout", healthTime, "how long to wait for the answer")
	return cmd
}

func (p *program) health(cmd *cobra.Command, _ []string) error {
	live, err := cmd.Flags().GetBool("live")
	if err != nil {
		return err
	}
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
	path, good := "/readyz", "ready"
	if live {
		path, good = "/healthz", "ok"
	}
	if err := askHealth(ctx, c.Admin.Addr, path, good); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), good)
	return err
}

// askHealth returns nil if the answer to path, at the admin listener of addr, has true under the name good, and else why not.
func askHealth(ctx context.Context, addr, path, good string) error {
	const most = 4096 // bytes of an answer
	// A dialer takes an address without a host, or with one such as 0.0.0.0, for this machine's.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
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
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", addr, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil || answer[good] != true && answer[good] != false {
		return fmt.Errorf("%s answers %s, and not as roomgate does: another program has that port, or admin.addr is another's", addr, response.Status)
	}
	if answer[good] == false {
		return fmt.Errorf("not %s: %v", good, answer["reason"])
	}
	return nil
}
