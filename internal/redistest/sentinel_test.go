package redistest

import (
	"errors"
	"testing"
)

func TestSentinelsMakeAnotherServerMaster(t *testing.T) {
	g := StartSentinel(t)
	old := g.Master()
	if old != g.Servers()[0] {
		t.Errorf("the master is %s at first, want %s", old.Addr(), g.Servers()[0].Addr())
	}
	if want := "redis+sentinel://" + g.Sentinels()[0].Addr() + "," + g.Sentinels()[1].Addr() + "," +
		g.Sentinels()[2].Addr() + "/mymaster"; g.URL() != want {
		t.Errorf("the URL is %s, want %s", g.URL(), want)
	}
	old.Kill()
	if m := g.AwaitMaster(old); m == old {
		t.Errorf("the master is %s still", m.Addr())
	}

	old.Restart() // and thinks that it is the master
	await(t, "the old master as a replica", func() error {
		role, link, err := old.role()
		if err == nil && (role != "slave" || link != "connected") {
			err = errors.New(role + " " + link)
		}
		return err
	})
	await(t, "sentinels that could fail over again", g.ready)
}

func TestSentinelsNameTheMasterWhileOneIsGone(t *testing.T) {
	g := StartSentinel(t, "--requirepass", "a-password-of-redis")
	old := g.Master()
	old.Pause()
	m := g.AwaitMaster(old)
	if m == old {
		t.Error("the paused server is master still")
	}
	g.Sentinels()[0].Kill()
	if got := g.Master(); got != m {
		t.Errorf("the master is %s, want %s", got.Addr(), m.Addr())
	}
}
