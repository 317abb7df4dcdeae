package pubsub

import (
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// slotCount is how many slots a Redis Cluster has. It is fixed by the cluster specification.
const slotCount = 16384

// slotOf is the slot of a channel: CRC16 (XMODEM) of its name, or of the hash tag in it, which is what
// stands between the first { and the next }, if that is not empty.
func slotOf(channel string) int {
	if _, rest, found := strings.Cut(channel, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			channel = tag
		}
	}
	var crc uint16
	for i := range len(channel) {
		crc = crc<<8 ^ crc16[byte(crc>>8)^channel[i]]
	}
	return int(crc) % slotCount
}

var crc16 = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// A slotTable is which master owns which slot, as a node answers CLUSTER SLOTS. It never changes.
type slotTable struct {
	masters []string         // addresses of those that own a slot, sorted
	nodes   []string         // of all nodes, replicas too, sorted
	owner   [slotCount]int16 // index in masters; -1: nobody
}

// newSlotTable reads the answer of the node at addr. A node that leaves out its own host, since it does not
// know how it is reached, means that one.
func newSlotTable(addr string, ranges []redis.ClusterSlot) *slotTable {
	t := &slotTable{}
	asked, _, _ := net.SplitHostPort(addr)
	address := func(n redis.ClusterNode) string {
		host, port, err := net.SplitHostPort(n.Addr)
		if err != nil || host == "?" { // "?" is a host that the node does not know
			return ""
		}
		if host == "" {
			host = asked
		}
		return net.JoinHostPort(host, port)
	}
	for _, r := range ranges {
		for i, n := range r.Nodes {
			a := address(n)
			if a == "" {
				continue
			}
			t.nodes = append(t.nodes, a)
			if i == 0 {
				t.masters = append(t.masters, a)
			}
		}
	}
	slices.Sort(t.nodes)
	slices.Sort(t.masters)
	t.nodes, t.masters = slices.Compact(t.nodes), slices.Compact(t.masters)
	for i := range t.owner {
		t.owner[i] = -1
	}
	for _, r := range ranges {
		if len(r.Nodes) == 0 || r.Start < 0 || r.End >= slotCount {
			continue
		}
		if i, found := slices.BinarySearch(t.masters, address(r.Nodes[0])); found {
			for slot := r.Start; slot <= r.End; slot++ {
				t.owner[slot] = int16(i)
			}
		}
	}
	return t
}

// same reports whether both have the same owner for each slot.
func (t *slotTable) same(other *slotTable) bool {
	return slices.Equal(t.masters, other.masters) && t.owner == other.owner
}

// covered is how many slots have an owner.
func (t *slotTable) covered() (n int) {
	for _, i := range t.owner {
		if i >= 0 {
			n++
		}
	}
	return n
}
