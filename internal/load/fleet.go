package load

import (
	"net"
	"sync"
	"time"
)

// goodbye is the close frame of a client that has seen enough: 1000.
var goodbye = appendFrame(nil, opClose, []byte{0x03, 0xe8})

// A waitingFleet has a goroutine for each client, which waits for what comes.
type waitingFleet struct {
	c       *Clients
	reading sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	open   map[*client]net.Conn
}

func newWaitingFleet(c *Clients) *waitingFleet {
	return &waitingFleet{c: c, open: make(map[*client]net.Conn)}
}

func (f *waitingFleet) adopt(cl *client, nc net.Conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		nc.Close()
		return net.ErrClosed
	}
	f.open[cl] = nc
	f.c.admit(cl)
	f.reading.Go(func() { f.read(cl, nc) }) // ends when the connection does, by close at the latest
	return nil
}

// read hands on what comes until the connection ends.
func (f *waitingFleet) read(cl *client, nc net.Conn) {
	defer f.drop(cl, nc)
	buf := make([]byte, 16<<10)
	for {
		n, err := nc.Read(buf)
		if n > 0 {
			_ = nc.SetWriteDeadline(time.Now().Add(10 * time.Second)) // a bad socket is for Read to find
			if f.c.hand(cl, nc, buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			f.c.lose(cl, err)
			return
		}
	}
}

func (f *waitingFleet) drop(cl *client, nc net.Conn) {
	nc.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, cl)
}

func (f *waitingFleet) look() error { return nil }

func (f *waitingFleet) close() {
	f.mu.Lock()
	f.closed = true
	for _, nc := range f.open {
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write(goodbye) // out of courtesy
		nc.Close()
	}
	f.mu.Unlock()
	f.reading.Wait()
}

// admit makes cl one of the clients.
func (c *Clients) admit(cl *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients[cl.number] = cl
	c.open++
}
