// Command coder is a peer of roomgate's benchmark: a relay on github.com/coder/websocket, written as in
// the library's chat example, without compression.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"

	"github.com/roomgate/roomgate/bench/peers/ordinary"
)

const patience = 10 * time.Second // for a write, and for a pong

func main() {
	if err := ordinary.Serve(serve); err != nil {
		fmt.Fprintln(os.Stderr, "coder:", err)
		os.Exit(1)
	}
}

func serve(h *ordinary.Hub, room string, w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the origin: the clients have none
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	c, err := h.Join(r.Context(), room)
	if err != nil {
		return
	}
	defer h.Leave(c)
	write(conn.CloseRead(context.Background()), conn, c, h.Heartbeat)
}

// write writes what the hub sends, and pings, until ctx ends with the connection.
func write(ctx context.Context, conn *websocket.Conn, c *ordinary.Client, heartbeat time.Duration) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case payload, ok := <-c.Send:
			if !ok {
				return
			}
			if err := timely(ctx, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, payload) }); err != nil {
				return
			}
		case <-ticker.C:
			if err := timely(ctx, conn.Ping); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func timely(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return do(ctx)
}
