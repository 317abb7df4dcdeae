// Package ordinary is the relay that most would write around a WebSocket library: a map of each room's
// clients, a buffered channel and a goroutine that writes for each client, and go-redis's channel of
// messages. Only how a connection is upgraded, read and written is left to the library's own program.
package ordinary

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
)

const (
	prefix = "room:" // before a room's name in its channel
	queue  = 256     // messages that may wait for a client
)

// A Hub knows who is in which room.
type Hub struct {
	Heartbeat time.Duration // between two pings to a client

	secret []byte
	pubsub *redis.PubSub

	mu    sync.Mutex // guards rooms and what is in it
	rooms map[string]map[*Client]struct{}
}

// A Client is one connection's part in its room.
type Client struct {
	Send chan []byte // messages to write; the hub closes it when the client is to end
	room string
}

// Serve serves with handler, which is called for each request with the hub and the room that the
// request's token grants. It reads its flags and BENCH_SECRET, and returns only an error.
func Serve(handler func(h *Hub, room string, w http.ResponseWriter, r *http.Request)) error {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	redisAddr := flag.String("redis", "127.0.0.1:6379", "where Redis is")
	heartbeat := flag.Duration("heartbeat", 25*time.Second, "between two pings to a client")
	flag.Parse()
	client := redis.NewClient(&redis.Options{Addr: *redisAddr})
	h := &Hub{
		Heartbeat: *heartbeat,
		secret:    []byte(os.Getenv("BENCH_SECRET")),
		pubsub:    client.Subscribe(context.Background()),
		rooms:     map[string]map[*Client]struct{}{},
	}
	go h.relay() // ends with the process
	return http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		room, err := h.room(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		handler(h, room, w, r)
	}))
}

// room verifies a request's token, and returns the room that it grants.
func (h *Hub) room(r *http.Request) (string, error) {
	var claims struct {
		jwt.RegisteredClaims
		Rooms []string `json:"rooms"`
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", errors.New("no token")
	}
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return h.secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err != nil {
		return "", err
	}
	if len(claims.Rooms) == 0 {
		return "", errors.New("the token grants no room")
	}
	return claims.Rooms[0], nil
}

// Join makes a client in a room, which Leave takes out again.
func (h *Hub) Join(ctx context.Context, room string) (*Client, error) {
	c := &Client{Send: make(chan []byte, queue), room: room}
	h.mu.Lock()
	defer h.mu.Unlock()
	members := h.rooms[room]
	if members == nil {
		if err := h.pubsub.Subscribe(ctx, prefix+room); err != nil {
			return nil, fmt.Errorf("subscribing: %w", err)
		}
		members = map[*Client]struct{}{}
		h.rooms[room] = members
	}
	members[c] = struct{}{}
	return c, nil
}

// Leave takes a client out of its room, and ends it.
func (h *Hub) Leave(c *Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c)
}

// drop is Leave under h.mu. A client that has left stays so.
func (h *Hub) drop(c *Client) {
	members := h.rooms[c.room]
	if _, ok := members[c]; !ok {
		return
	}
	delete(members, c)
	close(c.Send)
	if len(members) == 0 {
		delete(h.rooms, c.room)
		_ = h.pubsub.Unsubscribe(context.Background(), prefix+c.room) // Redis away: go-redis forgets the room all the same
	}
}

// relay gives each message to the clients in its room. One whose channel is full is ended.
func (h *Hub) relay() {
	for m := range h.pubsub.Channel() {
		payload := []byte(m.Payload)
		h.mu.Lock()
		for c := range h.rooms[strings.TrimPrefix(m.Channel, prefix)] {
			select {
			case c.Send <- payload:
			default:
				h.drop(c)
			}
		}
		h.mu.Unlock()
	}
}
