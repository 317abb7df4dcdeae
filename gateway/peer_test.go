package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"
)

var testProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// peerOf is the address that a request has from remote with these headers.
func peerOf(header, remote string, headers http.Header) string {
	p := peers{trusted: testProxies, header: header}
	return p.addr(&http.Request{RemoteAddr: remote, Header: headers}).String()
}

func TestPeerIsTheRightmostHopThatIsNotTrusted(t *testing.T) {
	xff := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	fwd := func(lines ...string) http.Header { return http.Header{"Forwarded": lines} }
	for name, test := range map[string]struct {
		header, remote string
		headers        http.Header
		want           string
	}{
		"no proxy":                        {"auto", "8.8.8.8:1", nil, "8.8.8.8"},
		"not a trusted proxy":             {"auto", "8.8.8.8:1", xff("1.1.1.1"), "8.8.8.8"},
		"one proxy":                       {"auto", "10.0.0.1:1", xff("1.1.1.1"), "1.1.1.1"},
		"the client's own claim":          {"auto", "10.0.0.1:1", xff("9.9.9.9, 1.1.1.1"), "1.1.1.1"},
		"two proxies":                     {"auto", "10.0.0.1:1", xff("9.9.9.9, 1.1.1.1, 10.0.0.2"), "1.1.1.1"},
		"two lines":                       {"auto", "10.0.0.1:1", xff("9.9.9.9", "1.1.1.1, 10.0.0.2"), "1.1.1.1"},
		"all trusted":                     {"auto", "10.0.0.1:1", xff("10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"garbage behind a proxy":          {"auto", "10.0.0.1:1", xff("1.1.1.1, unknown"), "10.0.0.1"},
		"garbage behind two":              {"auto", "10.0.0.1:1", xff("1.1.1.1, x, 10.0.0.2"), "10.0.0.2"},
		"with a port":                     {"auto", "10.0.0.1:1", xff("1.1.1.1:55"), "1.1.1.1"},
		"IPv6":                            {"auto", "[fd00::1]:1", xff("2001:db8::1"), "2001:db8::1"},
		"IPv6 with a port":                {"auto", "[fd00::1]:1", xff("[2001:db8::1]:55"), "2001:db8::1"},
		"IPv4 in IPv6":                    {"auto", "[::ffff:10.0.0.1]:1", xff("::ffff:1.1.1.1"), "1.1.1.1"},
		"nothing said":                    {"auto", "10.0.0.1:1", nil, "10.0.0.1"},
		"Forwarded":                       {"auto", "10.0.0.1:1", fwd(`for=9.9.9.9, for=1.1.1.1;proto=https`), "1.1.1.1"},
		"Forwarded, IPv6":                 {"auto", "10.0.0.1:1", fwd(`For="[2001:db8::1]:47"; by=10.0.0.1`), "2001:db8::1"},
		"Forwarded, two lines":            {"auto", "10.0.0.1:1", fwd(`for=9.9.9.9`, `for=1.1.1.1, for=10.0.0.2`), "1.1.1.1"},
		"Forwarded, hidden":               {"auto", "10.0.0.1:1", fwd(`for=1.1.1.1, for=_secret`), "10.0.0.1"},
		"Forwarded, without for":          {"auto", "10.0.0.1:1", fwd(`for=1.1.1.1, proto=https`), "10.0.0.1"},
		"Forwarded, comma in quotes":      {"auto", "10.0.0.1:1", fwd(`for=1.1.1.1;by="a,for=9.9.9.9"`), "1.1.1.1"},
		"Forwarded, for twice":            {"auto", "10.0.0.1:1", fwd(`for=1.1.1.1;for=2.2.2.2`), "10.0.0.1"},
		"both, auto":                      {"auto", "10.0.0.1:1", http.Header{"X-Forwarded-For": {"1.1.1.1"}, "Forwarded": {"for=2.2.2.2"}}, "1.1.1.1"},
		"both, forwarded":                 {"forwarded", "10.0.0.1:1", http.Header{"X-Forwarded-For": {"1.1.1.1"}, "Forwarded": {"for=2.2.2.2"}}, "2.2.2.2"},
		"only Forwarded, x-forwarded-for": {"x-forwarded-for", "10.0.0.1:1", fwd("for=2.2.2.2"), "10.0.0.1"},
		"not over IP":                     {"auto", "@", xff("1.1.1.1"), "invalid IP"},
	} {
		if got := peerOf(test.header, test.remote, test.headers); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// checkPeer checks what must hold whatever the header says: the address is that of the
// connection, or one that stands in the header with nothing but trusted ones behind it.
func checkPeer(t *testing.T, hops []string, got string) {
	t.Helper()
	if got == "10.0.0.1" {
		return
	}
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			break
		}
		if addr.String() == got {
			return
		}
		if !(&peers{trusted: testProxies}).trusts(addr) {
			break
		}
	}
	t.Errorf("%q gives %s, which nobody who is trusted has named", hops, got)
}

func FuzzXForwardedFor(f *testing.F) {
	f.Add("9.9.9.9, 1.1.1.1, 10.0.0.2")
	f.Add("[2001:db8::1]:55,,")
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"X-Forwarded-For": {value}}
		checkPeer(t, headerValues(&http.Request{Header: h}, "X-Forwarded-For"), peerOf("auto", "10.0.0.1:1", h))
		if got := peerOf("auto", "8.8.8.8:1", h); got != "8.8.8.8" {
			t.Errorf("somebody who is not trusted is believed to be %s", got)
		}
	})
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=9.9.9.9, for="[2001:db8::1]:47";by=x`)
	f.Add(`for="1.1.1.1, for=2.2.2.2`)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Forwarded": {value}}
		checkPeer(t, forwardedFor(value), peerOf("forwarded", "10.0.0.1:1", h))
	})
}
