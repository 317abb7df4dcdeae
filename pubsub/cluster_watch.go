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
	strikes, told := 0, false
	return watchRole(ctx, p.access, w, func(ctx context.Context, witness *redis.Client) (ending, bool) {
		view := p.look(ctx, w.server, witness)
		switch {
		case view.unknown != "":
			// One node may not have heard yet of a master that is new. Two have.
			if strikes++; strikes > 1 {
				return ending{reasonDemoted, fmt.Errorf("%v is no master for %s", w.server, view.unknown)}, true
			}
		case view.down && view.better != "":
			p.deafAt(w.server.addr, view.better) // or it would be taken for the best, where others do not hear it
			return ending{reasonDemoted, fmt.Errorf("%v cannot reach enough of the Cluster, and %s can", w.server, view.better)}, true
		case view.down:
			w.blame(errClusterDown)
			if !told {
				told = true
				w.log.Warn("redis cluster is down, and no better node can be reached", slog.Any("node", w.server))
			}
		default:
			strikes, told = 0, false
		}
		return ending{}, false
	})
}

var errClusterDown = errors.New("the Cluster is down (cluster_state:fail)")

// A view is what a look at the Cluster showed.
type view struct {
	unknown string // a node for which the link's is no master; empty: none said so
	down    bool   // the link's node says that the Cluster is down
	better  string // another, for which it is not; empty: none could be reached
}

// look asks the link's node for its state, and one of the others, whose turn it is, for its view. What does not
// answer says nothing.
func (p *cluster) look(ctx context.Context, s server, witness *redis.Client) (v view) {
	other := p.others(s, &p.asked)[0]
	table, err := p.survey.ask(ctx, other, p.access.o.canaryInterval())
	otherUp := false
	if c, closed := p.survey.clients.at(other); err == nil && closed == nil && other != s.addr {
		otherUp = p.state(ctx, c) == stateOK
	}
	if otherUp { // what a minority says does not count
		if slices.Contains(table.masters, s.addr) {
			p.learn(table)
		} else {
			v.unknown = other
		}
	}
	if p.state(ctx, witness) == stateFail {
		v.down = true
		if otherUp {
			v.better = other
		}
	}
	return v
}

const (
	stateOK   = "ok"
	stateFail = "fail"
)

// state is the cluster_state that a node reports; empty if it does not.
func (p *cluster) state(ctx context.Context, c *redis.Client) string {
	info := ""
	_ = within(ctx, p.access.o.canaryInterval(), func(ctx context.Context) (err error) {
		info, err = c.ClusterInfo(ctx).Result()
		return err
	})
	_, after, _ := strings.Cut(info, "cluster_state:")
	state, _, _ := strings.Cut(after, "\r\n")
	return state
}
