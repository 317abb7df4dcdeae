package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/centrifugal/centrifuge"
	"github.com/redis/rueidis"
)

// prefix stands before a room's name in its channel.
const prefix = "room:"

// A broker subscribes to Redis for the rooms of this node. For all else it is the library's own one in memory.
type broker struct {
	*centrifuge.MemoryBroker
	redis rueidis.DedicatedClient
}

func newBroker(node *centrifuge.Node, addr string) (*broker, error) {
	memory, err := centrifuge.NewMemoryBroker(node, centrifuge.MemoryBrokerConfig{})
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis at %s: %w", addr, err)
	}
	dedicated, _ := client.Dedicate() // it is given back by the process's end
	return &broker{memory, dedicated}, nil
}

// RegisterBrokerEventHandler begins to hand what is published to h.
func (b *broker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	b.redis.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) {
		// Its error would be that of a message that cannot be encoded. Such a one is missed by the clients, and counted there.
		_ = h.HandlePublication(strings.TrimPrefix(m.Channel, prefix), &centrifuge.Publication{Data: []byte(m.Message)},
			centrifuge.StreamPosition{}, false, nil)
	}})
	return b.MemoryBroker.RegisterBrokerEventHandler(h)
}

// Subscribe asks Redis for the messages of rooms.
func (b *broker) Subscribe(rooms ...string) error {
	return b.redis.Do(context.Background(), b.redis.B().Subscribe().Channel(channels(rooms)...).Build()).Error()
}

// Unsubscribe takes Subscribe back.
func (b *broker) Unsubscribe(rooms ...string) error {
	return b.redis.Do(context.Background(), b.redis.B().Unsubscribe().Channel(channels(rooms)...).Build()).Error()
}

func channels(rooms []string) []string {
	channels := make([]string, len(rooms))
	for i, room := range rooms {
		channels[i] = prefix + room
	}
	return channels
}
