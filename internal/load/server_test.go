package load

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server upgrades whoever asks, puts them in the room of their query, and delivers as the test says.
type server struct {
	t      testing.TB
	url    string
	tls    *tls.Config                  // for a client; nil: without TLS
	answer func(r *http.Request) string // the whole answer to a handshake; nil: an upgrade

	greet    []byte // what each client gets after the upgrade
	serving  sync.WaitGroup
	mu       sync.Mutex // guards what follows
	members  map[string][]net.Conn
	requests []*http.Request
	received []string        // opcode and payload of each frame of the clients
	from     map[string]bool // addresses of the clients
}

// serve starts a server, which ends with the test.
func serve(t testing.TB) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, members: map[string][]net.Conn{}, from: map[string]bool{}}
	s.url = "ws://" + l.Addr().String() + "/ws"
	s.listen(l)
	return s
}

func (s *server) listen(l net.Listener) {
	s.serving.Go(func() { // ends with l
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(nc) }) // ends with nc
		}
	})
	s.t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, members := range s.members {
			for _, nc := range members {
				nc.Close()
			}
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
}

func (s *server) serve(nc net.Conn) {
	defer nc.Close()
	br := bufio.NewReader(nc)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	if host, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
		s.from[host] = true
	}
	s.mu.Unlock()
	if s.answer != nil {
		_, _ = fmt.Fprint(nc, s.answer(r))
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	room := r.URL.Query().Get("room")
	s.mu.Lock()
	s.members[room] = append(s.members[room], nc)
	_, _ = fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
		base64.StdEncoding.EncodeToString(sum[:]), s.greet)
	s.mu.Unlock()
	s.read(br)
}

// read keeps what a client says.
func (s *server) read(br *bufio.Reader) {
	for {
		op, payload, err := readMasked(br)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.received = append(s.received, fmt.Sprintf("%d %s", op, payload))
		s.mu.Unlock()
	}
}

// said reports whether a client said it.
func (s *server) said(want string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains("\n"+strings.Join(s.received, "\n")+"\n", "\n"+want+"\n")
}

// send sends bytes to member i of room; -1: to all.
func (s *server) send(room string, i int, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, nc := range s.members[room] {
		if i == n || i < 0 {
			if _, err := nc.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// readMasked reads one short frame of a client.
func readMasked(br *bufio.Reader) (op byte, payload []byte, err error) {
	var head [6]byte
	for i := range head {
		if head[i], err = br.ReadByte(); err != nil {
			return 0, nil, err
		}
	}
	if head[1]&maskBit == 0 || head[1]&^maskBit > controlMost {
		return 0, nil, fmt.Errorf("header %x: not masked, or too long for these tests", head)
	}
	payload = make([]byte, head[1]&^maskBit)
	for i := range payload {
		if payload[i], err = br.ReadByte(); err != nil {
			return 0, nil, err
		}
		payload[i] ^= head[2+i%4]
	}
	return head[0] & 0x0f, payload, nil
}

// frame is a whole frame of a server.
func frame(op byte, payload []byte) []byte {
	b := []byte{finBit | op}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}
