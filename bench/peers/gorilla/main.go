// Command gorilla is a peer of roomgate's benchmark: a relay on github.com/gorilla/websocket, written as
// in the library's chat example, with its documented tuning: small buffers, and a pool for those of writes.
package main

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/roomgate/roomgate/bench/peers/ordinary"
)

const patience = 10 * time.Second // for a write, and for a pong

var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

func main() {
	if err := ordinary.Serve(serve); err != nil {
		fmt.Fprintln(os.Stderr, "gorilla:", err)
		os.Exit(1)
	}
}

func serve(h *ordinary.Hub, room string, w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c, err := h.Join(r.Context(), room)
	if err != nil {
		_ = conn.Close()
		return
	}
	go write(conn, c, h.Heartbeat) // ends when the hub closes c.Send, or its write fails
	read(conn, h.Heartbeat+patience)
	h.Leave(c)
	_ = conn.Close()
}

// read reads until the connection ends, or no pong comes.
func read(conn *websocket.Conn, silence time.Duration) {
	conn.SetReadLimit(4096)
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(silence)) }
	conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return
		}
	}
}

// write writes what the hub sends, and pings. Its end closes the connection, which ends read.
func write(conn *websocket.Conn, c *ordinary.Client, heartbeat time.Duration) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	defer func() { _ = conn.Close() }()
	for {
		kind, message := websocket.PingMessage, []byte(nil)
		select {
		case payload, ok := <-c.Send:
			if !ok {
				return
			}
			kind, message = websocket.TextMessage, payload
		case <-ticker.C:
		}
		if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		if err := conn.WriteMessage(kind, message); err != nil {
			return
		}
	}
}
