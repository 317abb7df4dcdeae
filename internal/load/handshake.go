package load

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

const refusalMost = 4 << 10 // bytes of a refusal that are read

// handshake is the one of RFC 6455 section 4.1. What comes behind the answer is left in cl.stream.
func (c *Clients) handshake(cl *client, nc net.Conn) error {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	cl.key = base64.StdEncoding.EncodeToString(key)
	if _, err := io.WriteString(nc, c.request(cl)); err != nil {
		return fmt.Errorf("sending the handshake: %w", err)
	}
	br := bufio.NewReaderSize(nc, readSize)
	answer, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
	if err != nil {
		return fmt.Errorf("reading the answer to the handshake: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return refusal(answer)
	}
	sum := sha1.Sum([]byte(cl.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if got, want := answer.Header.Get("Sec-WebSocket-Accept"), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("the answer to the handshake has Sec-WebSocket-Accept %q, not %q: no WebSocket server has answered", got, want)
	}
	early, err := br.Peek(br.Buffered())
	if err != nil {
		return err
	}
	return c.hand(cl, nc, early)
}

// request is what the client sends to be upgraded.
func (c *Clients) request(cl *client) string {
	u, room := *c.url, c.o.roomName(int(cl.room))
	if c.o.Query != nil {
		if more := c.o.Query(cl.number, room); u.RawQuery == "" {
			u.RawQuery = more
		} else if more != "" {
			u.RawQuery += "&" + more
		}
	}
	lines := []string{"GET " + u.RequestURI() + " HTTP/1.1", "Host: " + u.Host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + cl.key}
	if c.o.Header != nil {
		lines = append(lines, c.o.Header(cl.number, room)...)
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// refusal is what an answer other than 101 says.
func refusal(answer *http.Response) *Refused {
	r := &Refused{Status: answer.StatusCode, After: answer.Header.Get("Retry-After")}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, refusalMost)) // what of it came
	var said struct{ Error string }
	if json.Unmarshal(body, &said) == nil {
		r.Reason = said.Error
	}
	return r
}
