//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/roomgate/roomgate/internal/redistest"
)

// toxicLeaks are goroutines of toxiproxy 2.5 that never end: what stands before a toxic that has
// closed its connection goes on sending to it. They hold no descriptor.
var toxicLeaks = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
}

// A proxy is a toxiproxy between the gateways and one Redis server. Its methods are the test's own
// goroutine's; addr stays the same.
type proxy struct {
	t        testing.TB
	addr     string // host:port at which it listens
	upstream string
	now      *toxiproxy.Proxy
}

func startProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	// The port is none that an outgoing connection could have when heal wants it again.
	p := &proxy{t: t, addr: "127.0.0.1:" + redistest.FreePort(t), upstream: upstream}
	p.start()
	t.Cleanup(func() { p.now.Stop() })
	return p
}

func (p *proxy) start() {
	p.t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p.now = toxiproxy.NewProxy(server, "redis", p.addr, p.upstream)
	if err := p.now.Start(); err != nil {
		p.t.Fatalf("starting toxiproxy: %v", err)
	}
}

// poison adds a toxic in both directions: kind and attributes as toxiproxy's README names them, with
// the values that attributes has in JSON. Connections that there are stay.
func (p *proxy) poison(kind, attributes string) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
		if _, err := p.now.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			p.t.Errorf("adding the toxic %s: %v", toxic, err)
		}
	}
}

// heal puts a proxy without toxics in the place of this one, whose connections end. Toxiproxy 2.5 would
// remove a toxic, but it waits 5 s for each chunk that is under way in a connection that is gone, and
// lets nobody connect meanwhile: minutes, with latency.
func (p *proxy) heal() {
	p.t.Helper()
	p.now.Stop()
	p.start()
}
