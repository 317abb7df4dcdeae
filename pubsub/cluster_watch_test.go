package pubsub

import (
	"errors"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// Nodes learn of a failover one after the other, so that one may say for a moment that the Cluster is down, or that a
// new master is none.
func TestALinkIsLeftAfterTwoLooksOfWhichNoneBetweenShowedItsNodeWell(t *testing.T) {
	var (
		well    = view{}
		cutOff  = view{down: true, better: "b:1"}
		down    = view{down: true}
		unknown = view{unknown: "b:1"}
	)
	for name, c := range map[string]struct {
		views []view
		end   string // empty: none
	}{
		"cut off once":                    {views: []view{cutOff, well, cutOff, well}},
		"cut off":                         {views: []view{cutOff, cutOff}, end: "a:1 cannot reach enough of the Cluster, and b:1 can"},
		"cut off, and others with it":     {views: []view{cutOff, down, cutOff}, end: "a:1 cannot reach enough of the Cluster, and b:1 can"},
		"the Cluster is down":             {views: []view{down, down, down, cutOff, well}},
		"unknown once":                    {views: []view{unknown, well, unknown}},
		"unknown":                         {views: []view{unknown, unknown}, end: "a:1 is no master for b:1"},
		"cut off, and unknown by then":    {views: []view{cutOff, unknown}, end: "a:1 is no master for b:1"},
		"a node's state may not be asked": {views: []view{{refused: errors.New("NOPERM")}, {refused: errors.New("NOPERM")}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := testCluster(t)
			l := looks{p: p, w: watched{server: server{addr: "a:1"}, blame: func(error) {}, log: secrecy.Log(t)}}
			for n, v := range c.views {
				e, over := l.judge(v)
				if want := c.end != "" && n == len(c.views)-1; over != want {
					t.Fatalf("look %d ends the link: %v (%v), want %v", n, over, e.err, want)
				}
				if over && (e.reason != reasonDemoted || e.Error() != c.end) {
					t.Errorf("ended with %v: %v, want %v: %s", e.reason, e.err, reasonDemoted, c.end)
				}
			}
			if left := len(p.hearing([]string{"a:1"})) == 0; left != (c.views[len(c.views)-1] == cutOff && c.end != "") {
				t.Errorf("its node is noted as deaf: %v", left)
			}
		})
	}
}
