package pubsub

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// setACL gives all nodes a user of these rules.
func setACL(t testing.TB, c *redistest.Cluster, rules string) {
	t.Helper()
	secrecy.Secret(secret)
	for _, s := range c.Nodes() {
		args := []any{"ACL", "SETUSER", "roomgate"}
		for rule := range strings.FieldsSeq(rules) {
			args = append(args, rule)
		}
		if err := s.Client().Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// shardedACL is what docs/operating.md gives a user for sharded pub/sub.
func shardedACL(t *testing.T) string {
	rules := ""
	for _, word := range pageACLs(t)[6][3:] {
		rules += fmt.Sprint(word, " ")
	}
	return rules
}

// controlACL is what it adds for control.enabled.
const controlACL = "&roomgate:control +subscribe +unsubscribe +publish +cluster|info"

func TestTheDocumentedACLIsEnoughForShardedPubSub(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	o := shardedOptions(c)
	o.Username, o.Password = "roomgate", secret
	for i, control := range []string{"", "roomgate:control"} {
		rules := shardedACL(t)
		if o.ControlChannel = control; control != "" {
			rules += controlACL
		}
		setACL(t, c, rules)
		found, err := Probe(t.Context(), o)
		if err != nil || !strings.HasPrefix(found, "3 masters") {
			t.Errorf("control %q: Probe = %q, %v", control, found, err)
		}
		b, r := run(t, o)
		ready(t, b)
		subscribe(t, b, "a")
		if n, err := Publish(t.Context(), o, "a", []byte("1")); err != nil || n != int64(i)+1 { // the first Broker is there to the end
			t.Errorf("Publish reached %d, %v", n, err)
		}
		batch, err := NewBatch(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Close()
		if err := errors.Join(batch.Publish("a", []byte("2")), batch.Flush()); err != nil {
			t.Error(err)
		}
		eventually(t, "two messages", func() bool { return strings.Join(r.got("a"), "") == "12" })
	}
	// Each command is needed, and named by Probe if it is missing.
	o.ControlChannel = ""
	for command, word := range map[string]string{"ssubscribe": "ssubscribe", "spublish": "spublish", "ping": "+ping", "cluster|slots": "+cluster|slots"} {
		setACL(t, c, strings.Replace(shardedACL(t), "+"+command+" ", "", 1))
		if _, err := Probe(t.Context(), o); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("without %s: Probe = %v", command, err)
		}
	}
}

func TestAForbiddenRoomIsRefusedAloneInACluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	setACL(t, c, strings.Replace(shardedACL(t), "&room:*", "&room:1* &room:2*", 1))
	o := shardedOptions(c)
	o.Username, o.Password = "roomgate", secret
	b, _ := run(t, o)
	ready(t, b)
	allowed, refused := 0, 0
	for i := range 300 {
		err := b.Subscribe(t.Context(), strconv.Itoa(i))
		switch ok := strings.HasPrefix(strconv.Itoa(i), "1") || strings.HasPrefix(strconv.Itoa(i), "2"); {
		case ok && err == nil:
			allowed++
		case !ok && errors.Is(err, ErrRefused):
			refused++
		default:
			t.Errorf("Subscribe(%d) = %v, allowed %v", i, err, ok)
		}
	}
	if allowed == 0 || refused == 0 {
		t.Errorf("%d allowed, %d refused", allowed, refused)
	}
	// Several of one slot, of which Redis refuses the whole command:
	results := make(chan error, 40)
	for i := range cap(results) {
		room := fmt.Sprintf("1{a}%d", i)
		if i%8 == 0 {
			room = fmt.Sprintf("{a}%d", i)
		}
		go func() { results <- b.Subscribe(t.Context(), room) }()
	}
	refused = 0
	for range cap(results) {
		if err := <-results; errors.Is(err, ErrRefused) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != cap(results)/8 {
		t.Errorf("%d of %d rooms of a slot were refused, want %d", refused, cap(results), cap(results)/8)
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoClusterOfRedis7SaysSo(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := fast(s)
	o.Sharded = true
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "redis+cluster://") {
		t.Errorf("New with %s = %v", o.URL, err)
	}
	o.URL = "redis+cluster://" + s.Addr()
	if _, err := Probe(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("Probe of a server alone = %v", err)
	}
	c := redistest.StartCluster(t, 1, 0, "--rename-command", "SSUBSCRIBE", "")
	if _, err := Probe(t.Context(), shardedOptions(c)); err == nil || !strings.Contains(err.Error(), "needs Redis 7.0") {
		t.Errorf("Probe without SSUBSCRIBE = %v", err)
	}
}
