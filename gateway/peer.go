package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// Values of Options.ProxyHeader.
const (
	headerAuto      = "auto"            // X-Forwarded-For, or Forwarded if there is none
	headerXFF       = "x-forwarded-for" // the de facto standard
	headerForwarded = "forwarded"       // RFC 7239
)

// peers finds out whose a request is: who connected to us, or, if that is a proxy that we
// trust, whom it and the trusted proxies before it name. From anybody else the headers are
// ignored: they are whatever the client wrote.
type peers struct {
	trusted []netip.Prefix
	header  string
}

// Addr returns whose request r is: the address that stands behind the trusted proxies, or the zero
// Addr if r did not come over IP.
func (g *Gateway) Addr(r *http.Request) netip.Addr { return g.opts().peers.addr(r) }

// addr returns the address that stands behind the trusted proxies; the zero Addr if r did not
// come over IP.
func (p *peers) addr(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := plain(remote.Addr())
	if !p.trusts(addr) {
		return addr
	}
	return p.walk(addr, p.hops(r))
}

// maxHops bounds how many proxies a request may name.
const maxHops = 32

// walk goes from the nearest hop outwards for as long as the one that named the next is
// trusted. A hop that cannot be read ends it: whoever named it is the last that is known.
func (p *peers) walk(addr netip.Addr, hops []string) netip.Addr {
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops && p.trusts(addr); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		addr = hop
	}
	return addr
}

func (p *peers) trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// hops returns what the proxies say, the client's end first.
func (p *peers) hops(r *http.Request) []string {
	if p.header != headerForwarded {
		if hops := headerValues(r, "X-Forwarded-For"); len(hops) > 0 || p.header == headerXFF {
			return hops
		}
	}
	return forwardedFor(strings.Join(r.Header.Values("Forwarded"), ","))
}

// forwardedFor returns the for parameter of each element of a Forwarded header (RFC 7239,
// section 4); an element without one, or that is malformed, gives "", which ends a walk.
func forwardedFor(header string) (hops []string) {
	if header == "" {
		return nil
	}
	for _, element := range splitQuoted(header, ',') {
		hop := ""
		for _, pair := range splitQuoted(element, ';') {
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok || !strings.EqualFold(name, "for") {
				continue
			}
			if hop != "" { // a parameter must not occur twice
				hop = ""
				break
			}
			if quoted, ok := strings.CutPrefix(value, `"`); ok {
				value, ok = strings.CutSuffix(quoted, `"`)
				if !ok || strings.ContainsAny(value, `"\`) {
					break
				}
			}
			hop = value
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitQuoted splits s at sep, but not within double quotes.
func splitQuoted(s string, sep byte) (parts []string) {
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

// parseHop reads an address, with or without a port, an IPv6 address with or without brackets.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plain(ap.Addr()), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return plain(addr), true
}

// plain is addr without a zone, and as IPv4 if it is an IPv4 address in IPv6's clothes: each
// peer has one spelling.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// site is what address limits count: an IPv4 address, or the /64 that one IPv6 host has to
// itself.
func site(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		prefix, err := addr.Prefix(64)
		if err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
