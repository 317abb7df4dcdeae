package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// watch ends a link whose node became a replica, or is no master for others, or cannot reach enough of the Cluster while
// another node can.
func (p *cluster) watch(ctx context.Context, w watched) (ending, bool) {
	l := looks{p: p, w: w}
	return watchRole(ctx, p.access, w, func(ctx context.Context, witness *redis.Client) (ending, bool) {
		return l.judge(p.look(ctx, w.server, witness))
	})
}

// enoughStrikes against a link's node end the link. One may be for a failover, of which nodes learn one after the other:
// the one that is asked has not heard yet of a master that is new, or says that the Cluster is up or down before others do.
const enoughStrikes = 2

// looks are those of one link's watch.
type looks struct {
	p *cluster
	w watched

	strikes int  // how many showed that its node should be left, and none since the first that it is well
	told    bool // that the Cluster is down
	mayNot  bool // told that nodes may not be asked for their state
}

// judge is for what the next showed.
func (l *looks) judge(v view) (ending, bool) {
	if v.refused != nil && !l.mayNot {
		l.mayNot = true
		l.w.log.Warn("redis cluster may not be asked whether it is down", slog.Any("error", v.refused))
	}
	wrong := v.unknown != "" || v.down && v.better != ""
	if wrong {
		l.strikes++
	}
	switch {
	case wrong && l.strikes < enoughStrikes:
	case v.unknown != "":
		return ending{reasonDemoted, fmt.Errorf("%v is no master for %s", l.w.server, v.unknown)}, true
	case wrong:
		l.p.deafAt(l.w.server.addr, v.better) // or it would be taken for the best, where others do not hear it
		return ending{reasonDemoted, fmt.Errorf("%v cannot reach enough of the Cluster, and %s can", l.w.server, v.better)}, true
	case v.down:
		l.w.blame(errClusterDown)
		if !l.told {
			l.told = true
			l.w.log.Warn("redis cluster is down, and no better node can be reached", slog.Any("node", l.w.server))
		}
	default:
		l.strikes, l.told = 0, false
	}
	return ending{}, false
}

var errClusterDown = errors.New("the Cluster is down (cluster_state:fail)")

// A view is what a look at the Cluster showed.
type view struct {
	unknown string // a node for which the link's is no master; empty: none said so
	down    bool   // the link's node says that the Cluster is down
	better  string // another, for which it is not; empty: none could be reached
	refused error  // why a node's state may not be asked
}

// look asks the link's node for its state, and one of the others, whose turn it is, for its view. What does not
// answer says nothing.
func (p *cluster) look(ctx context.Context, s server, witness *redis.Client) (v view) {
	other := p.others(s, &p.asked)[0]
	table, err := p.survey.ask(ctx, other, p.access.o.canaryInterval())
	otherUp := false
	if c, closed := p.survey.clients.at(other); err == nil && closed == nil && other != s.addr {
		var state string
		if state, v.refused = p.state(ctx, other, c); v.refused != nil {
			v.unknown = p.vote(ctx, s)
			return v
		}
		otherUp = state == stateOK
	}
	if otherUp { // what a minority says does not count
		if slices.Contains(table.masters, s.addr) {
			p.learn(table)
		} else {
			v.unknown = other
		}
	}
	if state, _ := p.state(ctx, s.addr, witness); state == stateFail {
		v.down = true
		if otherUp {
			v.better = other
		}
	}
	return v
}

// vote is for a user who may not ask whether a node is in a minority: what most of some nodes say counts. unknown: for
// whom s is no master; empty: for nobody.
func (p *cluster) vote(ctx context.Context, s server) (unknown string) {
	_ = within(ctx, p.access.o.canaryTimeout(), func(ctx context.Context) error {
		table, _, err := p.survey.look(ctx)
		switch {
		case err != nil:
		case slices.Contains(table.masters, s.addr):
			p.learn(table)
		default:
			unknown = "most of those that were asked"
		}
		return err
	})
	return unknown
}

const (
	stateOK   = "ok"
	stateFail = "fail"
)

// state is the cluster_state that the node at addr reports; empty if it does not. refused: the user may not ask.
func (p *cluster) state(ctx context.Context, addr string, c *redis.Client) (state string, refused error) {
	info := ""
	err := within(ctx, p.access.o.canaryInterval(), func(ctx context.Context) (err error) {
		info, err = c.ClusterInfo(ctx).Result()
		return err
	})
	if isRefusal(err) {
		return "", fmt.Errorf("asking %s for CLUSTER INFO: %w: allow it by +cluster|info", addr, err)
	}
	_, after, _ := strings.Cut(info, "cluster_state:")
	state, _, _ = strings.Cut(after, "\r\n")
	return state, nil
}
