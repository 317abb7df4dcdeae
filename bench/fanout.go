//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// A load is what both servers get.
type load struct {
	members, size, rate int
	duration            time.Duration
}

// header is the frame header of a message: text, whole, unmasked.
func (l load) header() []byte {
	switch {
	case l.size <= 125:
		return []byte{0x81, byte(l.size)}
	case l.size <= 0xFFFF:
		return binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(l.size))
	default:
		return binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(l.size))
	}
}

// fanout prints the CPU per delivery of the floor and of roomgate, measured in turn.
func fanout(l load, rounds int) error {
	fmt.Printf("fan-out: %d members, %d B, %d messages/s, %d rounds of %v each\n", l.members, l.size, l.rate, rounds, l.duration)
	var floors, gates []time.Duration
	for i := range rounds {
		f, err := measureFloor(l)
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		g, err := measureGateway(l)
		if err != nil {
			return fmt.Errorf("roomgate: %w", err)
		}
		floors, gates = append(floors, f), append(gates, g)
		fmt.Printf("round %d: floor %.2f µs, roomgate %.2f µs, ratio %.2f\n", i+1, micros(f), micros(g), float64(g)/float64(f))
	}
	f, g := median(floors), median(gates)
	fmt.Printf("median: floor %.2f µs a delivery, roomgate %.2f µs, ratio %.2f\n", micros(f), micros(g), float64(g)/float64(f))
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// measureGateway returns roomgate's CPU per delivery.
func measureGateway(l load) (time.Duration, error) {
	d, err := deploy(context.Background())
	if err != nil {
		return 0, err
	}
	defer d.stop()
	req, err := request("bench")
	if err != nil {
		return 0, err
	}
	c, err := dialClients(d.gateway.addr, l.members, req)
	if err != nil {
		return 0, err
	}
	defer c.close()
	p, err := dialRedis(d.redis.addr)
	if err != nil {
		return 0, err
	}
	payload := bytes.Repeat([]byte("x"), l.size)
	return l.measure(d.gateway, c, func() error { return p.publish("room:bench", payload) })
}

// measure sends messages at the load's rate, and returns the server's CPU per delivery.
func (l load) measure(server *process, c *clients, send func() error) (time.Duration, error) {
	const warm = time.Second
	if err := l.run(c, warm, send); err != nil {
		return 0, err
	}
	bytesBefore := c.bytes
	before, err := server.cpu()
	if err != nil {
		return 0, err
	}
	if err := l.run(c, l.duration, send); err != nil {
		return 0, err
	}
	after, err := server.cpu()
	if err != nil {
		return 0, err
	}
	deliveries := (c.bytes - bytesBefore) / int64(len(l.header())+l.size)
	if want := int64(l.duration.Seconds() * float64(l.rate) * float64(l.members)); deliveries < want*98/100 {
		return 0, fmt.Errorf("%d deliveries of %d: the machine is too busy for this rate", deliveries, want)
	}
	return (after - before) / time.Duration(deliveries), nil
}

// run sends at the rate for as long as d, and reads on a tick of 5 ms.
func (l load) run(c *clients, d time.Duration, send func() error) error {
	const tick = 5 * time.Millisecond
	start := time.Now()
	for sent, looked := 0, start; time.Since(start) < d; {
		for due := int(time.Since(start).Seconds() * float64(l.rate)); sent < due; sent++ {
			if err := send(); err != nil {
				return err
			}
		}
		looked = looked.Add(tick)
		time.Sleep(time.Until(looked))
		if err := c.drain(); err != nil {
			return err
		}
	}
	time.Sleep(50 * time.Millisecond) // for what is on its way
	return c.drain()
}
