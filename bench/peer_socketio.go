//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os/exec"
	"strconv"

	"github.com/roomgate/roomgate/internal/load"
)

// socketIO is Socket.IO with its Redis adapter, in one process of Node: peers/socketio. What is published
// is what @socket.io/redis-emitter would.
type socketIO struct{}

const socketIOFolder = "peers/socketio"

func (*socketIO) name() string  { return "socketio" }
func (*socketIO) title() string { return "Socket.IO" }

func (*socketIO) prepare(ctx context.Context, _ *rig) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (install it: apt-get install nodejs npm)", err)
		}
	}
	// No package's script is run: bufferutil brings what it is built to.
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = socketIOFolder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", socketIOFolder, err, out)
	}
	return nil
}

func (*socketIO) start(ctx context.Context, r *rig) (*subject, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	beat := "BENCH_HEARTBEAT_MS=" + strconv.FormatInt(heartbeat.Milliseconds(), 10)
	proc, err := start(addr, "node", []string{socketIOFolder + "/server.js", addr, r.redis.addr}, secretEnv, beat, "NODE_ENV=production")
	if err != nil {
		return nil, err
	}
	return &subject{
		process: proc,
		clients: load.Options{
			URL: "ws://" + addr + "/socket.io/?EIO=4&transport=websocket",
			Hello: func(_ int, room string) [][]byte {
				return [][]byte{fmt.Appendf(nil, `40{"token":%q}`, token(room))}
			},
			Ready: func(frame []byte) bool { return bytes.HasPrefix(frame, []byte(`40{`)) },
			Answer: func(frame []byte) []byte {
				if string(frame) == "2" { // a ping of Engine.IO
					return []byte("3")
				}
				return nil
			},
		},
		publisher: func(ctx context.Context) (publisher, error) {
			return newRedisPublisher(ctx, r, "socket.io#/#", "#", emit)
		},
	}, proc.await(ctx, proc.listens)
}

// emit appends what the emitter publishes for to(room).emit("m", payload), in MessagePack:
//
//	["emitter", {type: 2, data: ["m", payload], nsp: "/"}, {rooms: [room], except: [], flags: {}}]
func emit(b []byte, room string, payload []byte) []byte {
	text := payload[1 : len(payload)-1] // Socket.IO puts a JSON string into quotes of its own
	b = append(b, 0x93)                 // array of 3
	b = packString(b, "emitter")
	b = append(b, 0x83) // map of 3
	b = append(packString(b, "type"), 2)
	b = append(packString(b, "data"), 0x92)
	b = packString(packString(b, "m"), string(text))
	b = packString(packString(b, "nsp"), "/")
	b = append(b, 0x83)
	b = packString(append(packString(b, "rooms"), 0x91), room)
	b = append(packString(b, "except"), 0x90)
	return append(packString(b, "flags"), 0x80)
}

// packString appends a MessagePack string.
func packString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}
