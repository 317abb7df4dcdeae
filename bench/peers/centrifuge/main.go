// Command centrifuge is a peer of roomgate's benchmark: a server on the library that Centrifugo is built
// on. Its clients speak the JSON protocol, and are subscribed by the server to the rooms of their token.
//
// It has a Redis subscription of its own instead of the library's Redis broker: so the same PUBLISH
// reaches it as the others, and it need not decode the broker's envelope, which makes it cheaper.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	redis := flag.String("redis", "127.0.0.1:6379", "where Redis is")
	heartbeat := flag.Duration("heartbeat", 25*time.Second, "between two pings to a client")
	delay := flag.Duration("write-delay", 0, "how long a client's messages are collected before they are written")
	flag.Parse()
	if err := serve(*addr, *redis, *heartbeat, *delay); err != nil {
		fmt.Fprintln(os.Stderr, "centrifuge:", err)
		os.Exit(1)
	}
}

func serve(addr, redis string, heartbeat, delay time.Duration) error {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError, LogHandler: log})
	if err != nil {
		return err
	}
	b, err := newBroker(node, redis)
	if err != nil {
		return err
	}
	node.SetBroker(b)
	secret := []byte(os.Getenv("BENCH_SECRET"))
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		rooms, err := rooms(e.Token, secret)
		if err != nil {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
		}
		subscriptions := make(map[string]centrifuge.SubscribeOptions, len(rooms))
		for _, room := range rooms {
			subscriptions[room] = centrifuge.SubscribeOptions{}
		}
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{UserID: "u"},
			Subscriptions:      subscriptions,
			ReplyWithoutQueue:  true,
			MaxMessagesInFrame: -1,
			WriteDelay:         delay,
			WriteWithTimer:     delay > 0,
		}, nil
	})
	if err := node.Run(); err != nil {
		return err
	}
	return http.ListenAndServe(addr, centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:                func(*http.Request) bool { return true },
		ReadBufferSize:             512,
		WriteBufferSize:            1024,
		UseWriteBufferPool:         true,
		ProcessCommandsOffReadLoop: true,
		PingPongConfig:             centrifuge.PingPongConfig{PingInterval: heartbeat, PongTimeout: 10 * time.Second},
	}))
}

// rooms verifies a token, and returns the rooms that it grants.
func rooms(token string, secret []byte) ([]string, error) {
	var claims struct {
		jwt.RegisteredClaims
		Rooms []string `json:"rooms"`
	}
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err == nil && len(claims.Rooms) == 0 {
		err = errors.New("the token grants no room")
	}
	return claims.Rooms, err
}

func log(e centrifuge.LogEntry) { fmt.Fprintln(os.Stderr, "centrifuge:", e.Message, e.Fields) }
