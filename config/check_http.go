package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

func (l *loader) checkHTTP(c *Config) {
	l.checkAddr("http.addr", c.HTTP.Addr)
	if c.Admin.Addr != "" {
		l.checkAddr("admin.addr", c.Admin.Addr)
	}
	if p := c.HTTP.Path; !strings.HasPrefix(p, "/") || path.Clean(p) != p || strings.ContainsAny(p, "{}?#%\\ \t") {
		l.fail("http.path", "%q is not a plain path, such as /ws: it begins with / and does not end with one", p)
	}
	if p := c.HTTP.Path + "/"; c.HTTP.Playground && (p == "//" || strings.HasPrefix(p, "/playground/")) {
		l.fail("http.playground", "is served at /playground/, which http.path, %s, takes: choose another http.path, such as /ws, or leave this off", c.HTTP.Path)
	}
	for _, origin := range c.HTTP.AllowedOrigins {
		if problem := originProblem(origin); problem != "" {
			l.fail("http.allowed_origins", "%q %s", origin, problem)
		}
	}
	if c.HTTP.PongTimeout >= c.HTTP.PingInterval {
		l.fail("http.pong_timeout", "%v is not less than http.ping_interval, %v", c.HTTP.PongTimeout, c.HTTP.PingInterval)
	}
}

func (l *loader) checkAddr(key, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		l.fail(key, "%q is not host:port, such as 127.0.0.1:8080 or :8080", addr)
	}
}

// originProblem says what is wrong with an entry of http.allowed_origins; empty: nothing.
func originProblem(origin string) string {
	switch origin {
	case "*":
		return "would let any web page connect: list yours, or, if that is meant, set http.insecure_any_origin"
	case "null":
		return "is sent by sandboxed and local pages of anybody, so it cannot be allowed"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Opaque != "" {
		return "is not an origin, such as https://app.example.com"
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#") {
		return "has more than scheme, host and port: write " + u.Scheme + "://" + u.Host
	}
	host, wild := strings.CutPrefix(u.Hostname(), "*.")
	if strings.Contains(host, "*") || host == "" || wild && u.Scheme != "http" && u.Scheme != "https" {
		return "has a * elsewhere than as the first label of a web host, as in https://*.example.com"
	}
	return ""
}

// checkProxies sees to it that what is trusted is what was meant.
func (l *loader) checkProxies(c *Config) {
	for _, network := range c.HTTP.TrustedProxies {
		if whole := network.Masked(); whole != network {
			l.fail("http.trusted_proxies", "%v has bits beyond its first %d: write %v, or %v for the one address",
				network, network.Bits(), whole, network.Addr())
		}
	}
	if c.HTTP.ProxyProtocol && len(c.HTTP.TrustedProxies) == 0 {
		l.fail("http.proxy_protocol", "is believed of http.trusted_proxies only, which is empty: list there who sends the PROXY header")
	}
}

// checkUpstream shows no user name and password.
func (l *loader) checkUpstream(c *Config) {
	const key, example = "http.upstream", "http://127.0.0.1:3000"
	if c.HTTP.Upstream == "" {
		return
	}
	u, err := url.Parse(c.HTTP.Upstream)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		l.fail(key, "is not a URL such as %s", example)
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(c.HTTP.Upstream, "#"):
		l.fail(key, "has more than scheme, host and port, and each request has its own path: write %s://%s", u.Scheme, u.Host)
	case c.HTTP.Path == "/":
		l.fail(key, "would get no request, since http.path is /: choose another http.path, such as /ws")
	case isSame(u, c.HTTP.Addr):
		l.fail(key, "%s is http.addr, where roomgate itself listens: let one of the two have another port", c.HTTP.Upstream)
	}
}

// isSame reports whether u leads to addr, as far as one sees.
func isSame(u *url.URL, addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	local := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && ip.IsLoopback()
	}
	unspecified := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return err == nil && u.Port() == port && (u.Hostname() == host || local(u.Hostname()) && (unspecified(host) || local(host)))
}

func (l *loader) checkTLS(c *Config) {
	cert, key := c.HTTP.TLSCertFile, c.HTTP.TLSKeyFile
	switch {
	case cert != "" && key == "":
		l.fail("http.tls_key_file", "is not set, and http.tls_cert_file is: set both, or none")
	case cert == "" && key != "":
		l.fail("http.tls_cert_file", "is not set, and http.tls_key_file is: set both, or none")
	case cert == "" && c.HTTP.TLSClientCA != "":
		l.fail("http.tls_client_ca_file", "is for TLS only: set http.tls_cert_file and http.tls_key_file too")
	}
}
