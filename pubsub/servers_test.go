package pubsub

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// replicate makes replica copy master, and waits until it does.
func replicate(t *testing.T, replica, master *redistest.Server) {
	t.Helper()
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := replica.Client()
	if err := c.Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a replica in sync", func() bool {
		info, err := c.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
}

func TestAReplicaIsRefusedAndWhyIsSaid(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t), redistest.Start(t)
	replicate(t, replica, master)
	o := fast(replica)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, _ := run(t, o)
	eventually(t, "replica", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "replica") > 0 })
	if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "write the address of the master in redis.url") {
		t.Errorf("Ready() = %v, want that this is a replica, and what to do", err)
	}
	if err := b.Publish(t.Context(), "a", nil); !errors.Is(err, errReplica) {
		t.Errorf("Publish = %v, want %v", err, errReplica)
	}
	if _, err := Publish(t.Context(), fast(replica), "a", nil); !errors.Is(err, errReplica) {
		t.Errorf("the command's Publish = %v, want %v", err, errReplica)
	}
	if err := replica.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	ready(t, b)
}

func TestSeveralHostsAreTriedInTurn(t *testing.T) {
	t.Parallel()
	dead, replica, master := redistest.Start(t), redistest.Start(t), redistest.Start(t)
	replicate(t, replica, master)
	dead.Kill()
	o := fastAt("redis://" + dead.Addr() + "," + replica.Addr() + "," + master.Addr())
	if found, err := Probe(t.Context(), o); err != nil || found != master.Addr()+", of 3 addresses" {
		t.Errorf("Probe = %q, %v, want the master", found, err)
	}
	o.CanaryTimeout = calm
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	backendSays(t, master.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
	if _, err := Publish(t.Context(), o, "a", []byte("by the command")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command's message", func() bool { return slices.Contains(r.got("a"), "by the command") })
	batch, err := NewBatch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	if err := errors.Join(batch.Publish("a", []byte("by a batch")), batch.Flush()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the batch's message", func() bool { return slices.Contains(r.got("a"), "by a batch") })
}

func TestAMasterThatBecomesAReplicaIsLeft(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t), redistest.Start(t)
	o := fastAt("redis://" + first.Addr() + "," + second.Addr())
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")
	replicate(t, first, second)
	eventually(t, "demoted", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "demoted") == 1 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	backendSays(t, second.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
}

func TestEachReasonHasAnAdvice(t *testing.T) {
	for _, r := range reasons {
		if advice[r] == "" {
			t.Errorf("%s has none", r)
		}
	}
}
