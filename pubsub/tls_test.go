package pubsub

import (
	"strconv"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestSentinelsAndTheirServersOverTLS(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinelTLS(t)
	o := fastAt(g.URL())
	o.CAFile = g.Sentinels()[0].CAFile
	o.CanaryTimeout = calm
	if found, err := Probe(t.Context(), o); err != nil || !strings.HasPrefix(found, g.Master().Addr()) {
		t.Errorf("Probe = %q, %v, want the master", found, err)
	}
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	backendSays(t, g.Master().Client(), r, "a", "before")
	publishSoon(t, b, r, "a", "by a client")
	old := g.Master()
	old.Kill()
	master := g.AwaitMaster(old)
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	backendSays(t, master.Client(), r, "a", "after")
	publishSoon(t, b, r, "a", "by a client, after")
}

// Both ways to use a Cluster, over TLS and with nodes that are known by name, for which their certificates are.
func TestAClusterOverTLSWhoseNodesHaveNames(t *testing.T) {
	t.Parallel()
	c := redistest.StartClusterTLS(t, 3, 0)
	for _, s := range c.Nodes() {
		client := s.Client()
		for setting, value := range map[string]string{"cluster-announce-hostname": "localhost", "cluster-preferred-endpoint-type": "hostname"} {
			if err := client.ConfigSet(t.Context(), setting, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range c.Nodes() { // the others' names come by the bus
		client := s.Client()
		eventually(t, "names", func() bool {
			ranges, err := client.ClusterSlots(t.Context()).Result() //nolint:staticcheck // as roomgate asks
			if err != nil {
				t.Fatal(err)
			}
			named := 0
			for _, r := range ranges {
				if strings.HasPrefix(r.Nodes[0].Addr, "localhost:") {
					named++
				}
			}
			return named == len(c.Nodes())
		})
	}
	for _, sharded := range []bool{false, true} {
		t.Run("sharded "+strconv.FormatBool(sharded), func(t *testing.T) {
			o := fastAt(c.URL())
			o.CAFile, o.Sharded, o.CanaryTimeout = c.Nodes()[0].CAFile, sharded, calm
			if found, err := Probe(t.Context(), o); err != nil || strings.Count(found, "localhost:") != 3 {
				t.Errorf("Probe = %q, %v, want three names", found, err)
			}
			b, r := run(t, o)
			const rooms = 10
			hold(t, b, rooms)
			ready(t, b)
			for i := range rooms {
				publishSoon(t, b, r, strconv.Itoa(i), "by a client")
			}
			if found, err := b.Exists(t.Context(), "x", "y", "z"); found || err != nil {
				t.Errorf("Exists = %v, %v, want false", found, err)
			}
		})
	}
}
