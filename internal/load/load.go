// Package load drives a WebSocket server with many clients, and counts what arrives: each message
// once at each member of its room, in order, or else as lost, duplicated or out of order. It knows
// how messages look that it made itself, and nothing of how they are published, or of tokens.
//
// On Linux, without TLS, its clients are bare sockets in one epoll set, at which one goroutine looks
// on a tick. It does not wake for each message, so that a server on the same machine is not charged
// for waking its clients; a latency is therefore measured to the next look. Elsewhere, and with TLS,
// each client has a goroutine that waits for what comes.
package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Options say where clients connect and how. Its functions are called from several goroutines, and call
// no method of Clients.
type Options struct {
	// URL is ws:// or wss://host:port/path; required.
	URL string

	// Connections is how many clients there are; at least 1.
	Connections int

	// Rooms is how many rooms they are in: client i is in room i%Rooms. 0 means 1.
	Rooms int

	// RoomName names a room; nil means "bench-<i>".
	RoomName func(i int) string

	// Query returns what is appended to the query of URL, encoded; nil means nothing.
	Query func(client int, room string) string

	// Header returns header lines of the handshake, each "Name: value"; nil means none.
	Header func(client int, room string) []string

	// Hello returns text messages that a client sends once it is upgraded; nil means none.
	Hello func(client int, room string) [][]byte

	// Ready reports whether a message says that the client is in its room. It must not keep frame.
	// nil means that to be upgraded is enough.
	Ready func(frame []byte) bool

	// Answer returns the text message that answers frame, which is none of ours, such as a ping of a
	// protocol above WebSocket; empty means none. It must not keep frame. nil means that none is answered.
	Answer func(frame []byte) []byte

	// Message reports whether frame, which is none of ours, is a message: what a Run without Publish counts.
	// It must not keep frame. nil means that each is.
	Message func(frame []byte) bool

	// ConnectRate is new connections a second; 0 means as fast as they come, with 64 under way at most.
	ConnectRate int

	// Sources is how many loopback addresses, from 127.0.1.1 on, the clients of a server on 127.0.0.0/8
	// come from (Linux), since one address has less than 65,536 ports. 0 means one for each 10,000 clients.
	Sources int

	// Tick is the mean time between two looks at the sockets; 0 means 5 ms. The looks come at random
	// distances of half to one and a half of it: at fixed ones, latency would be the constant phase
	// between them and the publishing.
	Tick time.Duration

	// TLS is for wss; nil means Go's default, with the system's authorities.
	TLS *tls.Config
}

func (o Options) rooms() int          { return cmp.Or(o.Rooms, 1) }
func (o Options) tick() time.Duration { return cmp.Or(o.Tick, 5*time.Millisecond) }

func (o Options) roomName(i int) string {
	if o.RoomName == nil {
		return "bench-" + strconv.Itoa(i)
	}
	return o.RoomName(i)
}

// target returns where to connect, host and port.
func (o Options) target() (u *url.URL, addr string, err error) {
	u, err = url.Parse(o.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, "", errors.New("the URL is not such as ws://127.0.0.1:8080/ws or wss://gate.example.com/ws")
	}
	port := "80"
	if u.Scheme == "wss" {
		port = "443"
	}
	return u, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), nil
}

// Clients are connections to one server. Their methods are for one goroutine at a time. What comes is
// read, and pings are answered, during Dial, Idle and Run.
type Clients struct {
	o     Options
	url   *url.URL
	addr  string
	epoch time.Time // clock's base: a step of the wall clock moves no latency
	fleet fleet

	mu       sync.Mutex // guards what follows, and the clients; held for no I/O
	clients  []*client  // nil: not connected yet
	open     int        // how many of clients are
	gaps     int64
	answered int64            // pings
	closedBy map[string]int64 // by close code
	first    error            // why the first connection that ended did
	run      *run             // what is being counted; nil: nothing
}

// A fleet has the connections, and reads them.
type fleet interface {
	// adopt begins to read a client over its connection.
	adopt(cl *client, nc net.Conn) error
	// look hands on what has arrived. A fleet whose clients wait for themselves does nothing.
	look() error
	// close ends all connections.
	close()
}

// Dial connects o.Connections clients and waits until each is ready. It tells progress, from its own
// goroutine, about every 100 ms and at the end; nil means nobody. The first client that cannot connect,
// or loses its connection meanwhile, ends it, with a *Refused if it was the server that refused it.
func Dial(ctx context.Context, o Options, progress func(connected int)) (*Clients, error) {
	u, addr, err := o.target()
	if err != nil {
		return nil, err
	}
	if o.Connections < 1 || o.Rooms < 0 || o.Rooms > o.Connections {
		return nil, fmt.Errorf("%d connections in %d rooms: there must be at least one in each", o.Connections, o.rooms())
	}
	c := &Clients{o: o, url: u, addr: addr, epoch: time.Now(), clients: make([]*client, o.Connections), closedBy: map[string]int64{}}
	if c.fleet, err = newFleet(c); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(int) {}
	}
	if err := c.connect(ctx, progress); err != nil {
		c.fleet.close()
		return nil, err
	}
	return c, nil
}

// connect dials all clients, and reads those that are connected meanwhile.
func (c *Clients) connect(ctx context.Context, progress func(int)) error {
	const every = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	dialled := make(chan struct{}) // closed once failed is set
	go func() {                    // ends with its last dial, which cancel ends
		defer close(dialled)
		failed = c.dialAll(ctx)
	}()
	var told time.Time
	for {
		err := c.look(ctx)
		if err == nil {
			_, err = c.ended()
		}
		if err != nil {
			cancel()
			<-dialled
			return err
		}
		if time.Since(told) >= every {
			told = time.Now()
			progress(c.Len())
		}
		select {
		case <-dialled:
			if err = failed; err == nil {
				err = c.fleet.look()
			}
			if err == nil {
				_, err = c.ended()
			}
			progress(c.Len())
			return err
		default:
		}
	}
}

// ended returns how many connections have, and why the first.
func (c *Clients) ended() (n int64, first error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range c.closedBy {
		n += of
	}
	return n, c.first
}

// look waits until the next look is due, and does it.
func (c *Clients) look(ctx context.Context) error {
	tick := c.o.tick()
	wait := time.NewTimer(tick/2 + rand.N(tick))
	defer wait.Stop()
	select {
	case <-wait.C:
		return c.fleet.look()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clock is now, in Unix nanoseconds.
func (c *Clients) clock() int64 { return c.epoch.UnixNano() + int64(time.Since(c.epoch)) }

// Len returns how many clients are connected.
func (c *Clients) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Answered returns how many pings have been answered since Dial: those of RFC 6455, and what Options.Answer did.
func (c *Clients) Answered() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered
}

// Idle only reads what comes and answers pings, for d or until ctx ends.
func (c *Clients) Idle(ctx context.Context, d time.Duration) error {
	for until := time.Now().Add(d); time.Now().Before(until); {
		if err := c.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all connections.
func (c *Clients) Close() error {
	c.fleet.close()
	return nil
}
