package redistest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A Cluster is a Redis Cluster. It calls a node down after a second, and one of its replicas takes
// over, if most of the masters are left: of 3, not of 2. What it does not cover it does not serve, and
// serves the rest. It ends with its test. Its methods are for the test's own goroutine.
type Cluster struct {
	t     testing.TB
	args  []string
	nodes []*Server
	ca    *authority // nil without TLS
}

// StartCluster runs as many masters, and as many replicas of each, with args, as Start does. The slots
// are shared out evenly, in order. It returns once every node serves and knows of all others what they
// are, so that a failover works. args come last: ("--cluster-node-timeout", "5000") is a calmer Cluster.
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, args: args}
	c.start(masters, replicas)
	return c
}

// start runs the nodes and makes a Cluster of them.
func (c *Cluster) start(masters, replicas int) {
	t := c.t
	t.Helper()
	for range masters * (1 + replicas) {
		c.nodes = append(c.nodes, c.newNode())
	}
	start(c.nodes...)
	for i := range masters {
		c.must(c.nodes[i], "CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
	}
	for i, n := range c.nodes {
		c.must(n, "CLUSTER", "SET-CONFIG-EPOCH", i+1) // or they all claim the first, and settle that one by one
		for _, other := range c.nodes[:i] {
			c.must(n, "CLUSTER", "MEET", "127.0.0.1", other.port)
		}
	}
	await(t, "nodes that know each other", c.acquainted)
	for i, n := range c.nodes[masters:] {
		c.must(n, "CLUSTER", "REPLICATE", c.id(c.nodes[i%masters]))
	}
	await(t, "a Cluster that serves", func() error { return c.ready(replicas) })
}

// newNode returns a node that does not run yet and is not of the Cluster.
func (c *Cluster) newNode() *Server {
	s := newServer(c.t, append([]string{
		"--cluster-enabled", "yes",
		"--cluster-config-file", "nodes.conf", // in its own directory, so that Restart finds it
		"--cluster-node-timeout", "1000", // milliseconds
		"--cluster-announce-ip", "127.0.0.1", // a node does not know its own until it was met
		"--cluster-require-full-coverage", "no",
		"--cluster-allow-replica-migration", "no", // or a master that gave its last slot becomes a replica
		"--repl-diskless-sync-delay", "0", // seconds; 5 unless said
		"--repl-ping-replica-period", "1", // seconds; 10 unless said: before the first, a replica is not named
	}, c.args...)...)
	if s.password != "" {
		s.args = append(s.args, "--masterauth", s.password)
	}
	if c.ca != nil {
		c.ca.secure(s, "no")
	}
	return s
}

// must has the node run a command that has to work.
func (c *Cluster) must(n *Server, args ...any) {
	c.t.Helper()
	if err := n.do(args...); err != nil {
		c.t.Fatal(err)
	}
}

// id is the node's name in the Cluster.
func (c *Cluster) id(n *Server) string {
	c.t.Helper()
	id, err := n.text("CLUSTER", "MYID")
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// acquainted returns nil if each node that runs is connected with each other.
func (c *Cluster) acquainted() error {
	nodes := live(c.t, c.nodes)
	for _, n := range nodes {
		text, err := n.text("CLUSTER", "NODES")
		if err != nil {
			return err
		}
		for _, other := range nodes {
			if !connected(text, other.Addr()) {
				return fmt.Errorf("%s is not connected with %s:\n%s", n.Addr(), other.Addr(), text)
			}
		}
	}
	return nil
}

// connected reports whether the text of CLUSTER NODES has a healthy node of that address. A line is
// <id> <ip:port@cport> <flags> <master> <ping> <pong> <epoch> <link> <slots>….
func connected(text, addr string) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[1], addr+"@") {
			continue
		}
		return f[7] == "connected" && !strings.Contains(f[2], "handshake") && !strings.Contains(f[2], "fail")
	}
	return false
}

// ready returns nil if all slots are served, all nodes agree by whom, and each master has so many
// replicas with all of its data.
func (c *Cluster) ready(replicas int) error {
	if err := errors.Join(c.acquainted(), c.agreed()); err != nil {
		return err
	}
	for _, n := range c.nodes {
		all, err := n.slots()
		if err != nil {
			return err
		}
		for _, r := range all {
			if len(r.Nodes) != 1+replicas {
				return fmt.Errorf("%s says that slots %d to %d have %d nodes, want %d", n.Addr(), r.Start, r.End, len(r.Nodes), 1+replicas)
			}
		}
		role, link, err := n.role()
		if err != nil {
			return err
		}
		if role == "slave" && link != "connected" {
			return fmt.Errorf("%s is a replica, link to the master %q", n.Addr(), link)
		}
	}
	return nil
}

// AddNode starts a master without slots, has it meet the others, and returns once all know it.
func (c *Cluster) AddNode() *Server {
	c.t.Helper()
	known := live(c.t, c.nodes)
	n := c.newNode()
	start(n)
	c.nodes = append(c.nodes, n)
	for _, other := range known {
		c.must(n, "CLUSTER", "MEET", "127.0.0.1", other.port)
	}
	await(c.t, "a new node that all know", c.acquainted)
	c.AwaitAgreement()
	return n
}

// Nodes returns all nodes, whatever each is now: the masters of the start, then their replicas, then
// those added.
func (c *Cluster) Nodes() []*Server { return c.nodes }

// URL is the addresses of all nodes: redis+cluster://host:port,host:port, or rediss+cluster://… with TLS.
func (c *Cluster) URL() string { return scheme(c.ca) + "+cluster://" + addrs(c.nodes) }

// Client returns a new client of the Cluster, closed when the test ends. It says the password if the
// Cluster has one.
func (c *Cluster) Client() *redis.ClusterClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                    strings.Split(addrs(c.nodes), ","),
		Password:                 c.nodes[0].password,
		TLSConfig:                c.nodes[0].tls,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	c.t.Cleanup(func() { _ = client.Close() }) // nothing to do about an error
	return client
}
