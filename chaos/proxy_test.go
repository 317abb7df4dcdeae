//go:build linux

package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// toxicLeaks are goroutines of toxiproxy 2.5 that never end: what stands before a toxic that has
// closed its connection goes on sending to it. They hold no descriptor.
var toxicLeaks = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
}

// A proxy is a toxiproxy between the gateways and one Redis server.
type proxy struct {
	t testing.TB
	p *toxiproxy.Proxy
}

func startProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{t: t, p: toxiproxy.NewProxy(server, "redis", "127.0.0.1:0", upstream)}
	if err := p.p.Start(); err != nil {
		t.Fatalf("starting toxiproxy: %v", err)
	}
	t.Cleanup(func() {
		p.heal()
		p.p.Stop()
	})
	return p
}

// addr is host:port at which it listens.
func (p *proxy) addr() string { return p.p.Listen }

// poison adds a toxic in both directions: kind and attributes as toxiproxy's README names them, with
// the values that attributes has in JSON.
func (p *proxy) poison(kind, attributes string) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
		if _, err := p.p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			p.t.Errorf("adding the toxic %s: %v", toxic, err)
		}
	}
}

// heal removes all toxics.
func (p *proxy) heal() { p.p.Toxics.ResetToxics(context.Background()) }
