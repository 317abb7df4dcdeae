package redistest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

const slots = 16384 // of a Cluster

// Slot is the slot of a channel or key: CRC16/XMODEM of what is between its first { and the next }, or
// of all of it if that is nothing (Redis Cluster specification, "Hash tags").
func (c *Cluster) Slot(channel string) int {
	if _, after, open := strings.Cut(channel, "{"); open {
		if tag, _, closed := strings.Cut(after, "}"); closed && tag != "" {
			channel = tag
		}
	}
	var crc uint16
	for _, b := range []byte(channel) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % slots
}

// owners has the address of each slot's master; empty: nobody's.
type owners [slots]string

// slots is what the node says of who has which slots: of each range the master first.
func (s *Server) slots() ([]redis.ClusterSlot, error) {
	cmd := redis.NewClusterSlotsCmd(context.Background(), "CLUSTER", "SLOTS")
	err := s.ask(cmd)
	return cmd.Val(), err
}

func (s *Server) owners() (*owners, error) {
	all, err := s.slots()
	if err != nil {
		return nil, err
	}
	o := new(owners)
	for _, r := range all {
		for slot := r.Start; slot <= r.End; slot++ {
			o[slot] = r.Nodes[0].Addr
		}
	}
	return o, nil
}

// owners is what a node that runs says.
func (c *Cluster) owners() *owners {
	c.t.Helper()
	o, err := live(c.t, c.nodes)[0].owners()
	if err != nil {
		c.t.Fatal(err)
	}
	return o
}

// agreed returns nil if all nodes that run say that they serve, and the same of who has which slots.
func (c *Cluster) agreed() error {
	var first *owners
	for _, n := range live(c.t, c.nodes) {
		info, err := n.text("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") {
			return fmt.Errorf("%s does not serve:\n%s", n.Addr(), info)
		}
		o, err := n.owners()
		if err != nil {
			return err
		}
		if first == nil {
			first = o
		}
		for slot := range o {
			if o[slot] != first[slot] {
				return fmt.Errorf("%s says that slot %d is of %q, another node of %q", n.Addr(), slot, o[slot], first[slot])
			}
		}
	}
	return nil
}

// AwaitAgreement waits until all nodes that run serve, and agree who has which slots. Until then a node
// that was resumed or restarted may say what was true before. The test fails if it takes 30 seconds.
func (c *Cluster) AwaitAgreement() {
	c.t.Helper()
	await(c.t, "nodes that agree", c.agreed)
}

// Masters returns the nodes that have slots now, ordered by the first of them, as a node that runs says.
func (c *Cluster) Masters() (masters []*Server) {
	c.t.Helper()
	for _, addr := range c.owners() {
		if n := byAddr(c.nodes, addr); n != nil && !slices.Contains(masters, n) {
			masters = append(masters, n)
		}
	}
	return masters
}

// MasterOf returns the node that has the slot of a channel or key now, as a node that runs says.
func (c *Cluster) MasterOf(channel string) *Server {
	c.t.Helper()
	slot := c.Slot(channel)
	n := byAddr(c.nodes, c.owners()[slot])
	if n == nil {
		c.t.Fatalf("slot %d, of %q, is nobody's", slot, channel)
	}
	return n
}

// AwaitNewMasterFor waits until all nodes that run agree that another than not has the slot, which
// says that it is a master. It returns that; the test fails if it takes 30 seconds.
func (c *Cluster) AwaitNewMasterFor(slot int, not *Server) (master *Server) {
	c.t.Helper()
	await(c.t, fmt.Sprintf("another master of slot %d", slot), func() error {
		if err := c.agreed(); err != nil {
			return err
		}
		master = byAddr(c.nodes, c.owners()[slot])
		if master == nil || master == not {
			return fmt.Errorf("it has still the one it had, or none")
		}
		return master.isMaster()
	})
	return master
}

// MoveSlots gives slots without keys from one master to another while both serve, as redis-cli's
// reshard does, and returns once all nodes know.
func (c *Cluster) MoveSlots(from, to *Server, slots ...int) {
	c.t.Helper()
	fromID, toID := c.id(from), c.id(to)
	told := []*Server{to, from} // the new owner first: the slot is never nobody's
	for _, m := range c.Masters() {
		if m != to && m != from && m.live() {
			told = append(told, m)
		}
	}
	for _, slot := range slots {
		c.must(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
		c.must(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
		for _, m := range told {
			c.must(m, "CLUSTER", "SETSLOT", slot, "NODE", toID)
		}
	}
	await(c.t, "slots that moved", func() error {
		if err := c.agreed(); err != nil {
			return err
		}
		o := c.owners()
		for _, slot := range slots {
			if o[slot] != to.Addr() {
				return fmt.Errorf("slot %d is of %q, want %s", slot, o[slot], to.Addr())
			}
		}
		return nil
	})
}
