package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/gateway"
)

// Of connections to http.upstream.
const (
	upstreamDialTime = 10 * time.Second
	upstreamIdleMost = 128 // kept for reuse
	// Less than the 5 s after which Node's HTTP server closes an idle connection: a request that
	// meets that close would be lost.
	upstreamIdleTime = 4 * time.Second
)

// An upstream hands requests to the API of http.upstream, so that one port serves both. Its own
// WebSockets pass. A request and its answer may take as long as they take: whoever asked can give
// up, and then the API is told.
type upstream struct {
	*httputil.ReverseProxy
	transport *http.Transport
	log       *slog.Logger
	sampler   sampler // of requests that failed
	server    *server // whose settings and limits hold
	active    atomic.Int64
}

// newUpstream returns the upstream of s that c names; nil if none.
func newUpstream(c *config.Config, s *server) (*upstream, error) {
	if c.HTTP.Upstream == "" {
		return nil, nil
	}
	target, err := url.Parse(c.HTTP.Upstream)
	if err != nil {
		return nil, err
	}
	u := &upstream{log: s.log, server: s}
	u.transport = &http.Transport{ // no proxy of the environment: the API is near
		DialContext:         (&net.Dialer{Timeout: upstreamDialTime}).DialContext,
		TLSHandshakeTimeout: upstreamDialTime,
		MaxIdleConns:        upstreamIdleMost,
		MaxIdleConnsPerHost: upstreamIdleMost,
		IdleConnTimeout:     upstreamIdleTime,
		DisableCompression:  true, // the client's Accept-Encoding is what counts
	}
	u.ReverseProxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { rewrite(r, target, s.settings()) },
		Transport:     u.transport,
		FlushInterval: -1, // at once: what streams must not wait for a buffer to fill
		ErrorHandler:  u.failed,
		ErrorLog:      httpLog(s.log), // mostly of clients that broke off; it names no URL
	}
	return u, nil
}

// ServeHTTP hands the request on, unless as many as may be are under way: each takes two
// descriptors for as long as it, or the WebSocket that it became, lasts.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer u.active.Add(-1)
	if u.active.Add(1) > int64(u.server.budget.Load().upstreamRequests) {
		u.server.gateway.CountExceeded(limitUpstream, u.server.gateway.Addr(r), false)
		w.Header().Set("Retry-After", gateway.RetryAfter())
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "too many requests are under way: try again later"})
		return
	}
	u.ReverseProxy.ServeHTTP(w, r)
}

// rewrite makes the request to the API of the client's. The API sees the Host that the client
// has sent, since links and cookies are made of it.
func rewrite(r *httputil.ProxyRequest, target *url.URL, c *config.Config) {
	r.SetURL(target)
	r.Out.Host = r.In.Host
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it is: net/http drops what it cannot parse

	remote, _ := netip.ParseAddrPort(r.In.RemoteAddr) // of no address: nobody is trusted
	in, out := r.In.Header, r.Out.Header
	if !trusts(c, remote.Addr()) {
		for name := range out { // what a proxy would have set is the client's own invention
			if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
				out.Del(name)
			}
		}
		r.SetXForwarded()
		return
	}
	out["X-Forwarded-For"] = in["X-Forwarded-For"] // so that the next line appends to it
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := in[name]; len(values) > 0 { // how the client came is known where TLS ends
			out[name] = values
		}
	}
	if values := in["Forwarded"]; len(values) > 0 {
		out.Set("Forwarded", strings.Join(values, ", ")+", for="+forwardedNode(remote.Addr()))
	}
}

// forwardedNode is addr as RFC 7239, section 6, wants it.
func forwardedNode(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		return `"[` + addr.String() + `]"`
	}
	return addr.String()
}

// failed answers a request that the API has not.
func (u *upstream) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil { // otherwise whoever asked has gone, and that is all
		u.sampler.log(u.log, slog.LevelWarn, "http.upstream did not answer",
			slog.String("event", "upstream_failed"), slog.String("error", err.Error()))
	}
	writeJSON(w, http.StatusBadGateway, map[string]string{"error": "the upstream is not reachable: try again later"})
}

// close ends the connections that wait for a request.
func (u *upstream) close() { u.transport.CloseIdleConnections() }
