//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// idle prints how much memory an idle connection with a room of its own costs.
func idle(n int) error {
	d, err := deploy(context.Background())
	if err != nil {
		return err
	}
	defer d.stop()
	rss0, pss0, err := d.gateway.memory()
	if err != nil {
		return err
	}
	cpu0, err := d.gateway.cpu()
	if err != nil {
		return err
	}
	const groups = 100
	var all []*clients
	defer func() {
		for _, c := range all {
			c.close()
		}
	}()
	for g := range groups {
		req, err := request(fmt.Sprint("idle", g))
		if err != nil {
			return err
		}
		c, err := dialClients(d.gateway.addr, n/groups, req)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	cpu1, err := d.gateway.cpu()
	if err != nil {
		return err
	}
	fmt.Printf("connect: %.0f µs of server CPU each (token verified, subscribed)\n", micros((cpu1-cpu0)/time.Duration(n)))
	time.Sleep(10 * time.Second) // for what connecting left to be collected or not, as it is in life
	rss, pss, err := d.gateway.memory()
	if err != nil {
		return err
	}
	fmt.Printf("idle: %d connections: RSS from %.1f to %.1f MB, %.1f KB each; PSS %.1f KB each\n", n,
		float64(rss0)/1e6, float64(rss)/1e6, float64(rss-rss0)/float64(n)/1024, float64(pss-pss0)/float64(n)/1024)
	return nil
}
