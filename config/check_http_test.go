package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestProxiesAreAddressesAndNetworks(t *testing.T) {
	got := mustLoad(t, "", "--http.trusted_proxies=10.0.0.7,10.0.0.0/8,::1,fd00::/8,::ffff:192.0.2.0/120,::ffff:192.0.2.1").HTTP.TrustedProxies
	var want []netip.Prefix
	for _, network := range []string{"10.0.0.7/32", "10.0.0.0/8", "::1/128", "fd00::/8", "192.0.2.0/24", "192.0.2.1/32"} {
		want = append(want, netip.MustParsePrefix(network))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	const noun = "is not a list of addresses and networks"
	checkRefusals(t, []refusal{
		{"", "--http.trusted_proxies=proxy.example.com", noun},
		{"", "--http.trusted_proxies=10.0.0.0/33", noun},
		{"", "--http.trusted_proxies=10.0.0", noun},
		{"", "--http.trusted_proxies=10.0.0.1:80", noun},
		{"", "--http.trusted_proxies=fe80::1%eth0", noun},
		{"", "--http.trusted_proxies=::ffff:10.0.0.0/95", noun},
		{"http: {trusted_proxies: [1]}", "", noun},
		{"http: {trusted_proxies: true}", "", noun},
		{"", "--http.trusted_proxies=10.0.0.7/8", "10.0.0.7/8 has bits beyond its first 8: write 10.0.0.0/8, or 10.0.0.7 for the one address"},
	})
}

func TestProxyProtocolNeedsATrustedProxy(t *testing.T) {
	mustLoad(t, "", "--http.proxy_protocol", "--http.trusted_proxies=127.0.0.1")
	checkRefusals(t, []refusal{
		{"", "--http.proxy_protocol", "http.trusted_proxies only, which is empty"},
		{"", "--http.proxy_header=x-real-ip", "is not one of auto, x-forwarded-for, forwarded"},
	})
}

func TestUpstreamIsSchemeHostAndPort(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:3000", "https://api.example.com", "http://[::1]:3000", "http://api:8080"} {
		if got := mustLoad(t, "", "--http.upstream="+url).HTTP.Upstream; got != url {
			t.Errorf("http.upstream is %q, want %q", got, url)
		}
	}
	mustLoad(t, "", "--http.upstream=http://127.0.0.1:8080", "--http.addr=192.0.2.1:8080")
	const form, more = "is not a URL such as http://127.0.0.1:3000", "has more than scheme, host and port"
	checkRefusals(t, []refusal{
		{"", "--http.upstream=127.0.0.1:3000", form},
		{"", "--http.upstream=localhost:3000", form},
		{"", "--http.upstream=ws://127.0.0.1:3000", form},
		{"", "--http.upstream=http://", form},
		{"", "--http.upstream=http:127.0.0.1", form},
		{"", "--http.upstream=http://api/", more},
		{"", "--http.upstream=http://api/v1", "each request has its own path: write http://api"},
		{"", "--http.upstream=http://api?", more},
		{"", "--http.upstream=http://api#", more},
		{"", "--http.upstream=http://u:p@api", more},
		{"http: {path: /}", "--http.upstream=http://api", "would get no request, since http.path is /"},
	})
}

func TestUpstreamIsNotRoomgateItself(t *testing.T) {
	const itself = "is http.addr, where roomgate itself listens"
	checkRefusals(t, []refusal{
		{"http: {upstream: 'http://127.0.0.1:3000'}", "PORT=3000", itself},
		{"http: {upstream: 'http://localhost:3000'}", "--http.addr=0.0.0.0:3000", itself},
		{"http: {upstream: 'http://[::1]:3000'}", "--http.addr=localhost:3000", itself},
		{"http: {upstream: 'http://192.0.2.1:3000'}", "--http.addr=192.0.2.1:3000", itself},
	})
}

func TestUpstreamsPasswordIsNotShown(t *testing.T) {
	for _, url := range []string{"http://u:hunter2@api", "http://u@api:hunter2", "u:hunter2@api"} {
		_, err := load(t, "", signed, "--http.upstream="+url)
		if err == nil {
			t.Fatalf("%s was not refused", url)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestCertificateAndKeyGoTogether(t *testing.T) {
	mustLoad(t, "", "--http.tls_cert_file=/c.pem", "--http.tls_key_file=/k.pem", "--http.tls_client_ca_file=/ca.pem")
	checkRefusals(t, []refusal{
		{"", "--http.tls_cert_file=/c.pem", "http.tls_key_file (default): is not set, and http.tls_cert_file is"},
		{"", "--http.tls_key_file=/k.pem", "http.tls_cert_file (default): is not set, and http.tls_key_file is"},
		{"", "--http.tls_client_ca_file=/ca.pem", "is for TLS only"},
	})
}

func TestPlaygroundAndTheGatewayHavePathsOfTheirOwn(t *testing.T) {
	mustLoad(t, "", "--http.playground", "--http.path=/playgrounds")
	const taken = "is served at /playground/, which http.path, "
	for _, path := range []string{"/", "/playground", "/playground/ws"} {
		mustLoad(t, "", "--http.path="+path)
		checkRefusals(t, []refusal{{"http: {playground: true}", "--http.path=" + path, taken + path + ", takes"}})
	}
}
