package main

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
)

// demoLines are what a demo tells on the terminal, and on its page.
type demoLines struct {
	addr, path    string // of the gateway
	redis, prefix string
	token         string
	program       string // how to run this one
}

const demoMessage = `'{"text":"hi"}'`

func (d demoLines) redisCLI() string {
	_, port, _ := net.SplitHostPort(d.redis) // it is what a listener said
	return fmt.Sprintf("redis-cli -p %s PUBLISH %s%s %s", port, d.prefix, demoRoom, demoMessage)
}

func (d demoLines) publish() string {
	line := d.program + " publish --redis.url redis://" + d.redis
	if d.prefix != "room:" {
		line += " --redis.channel_prefix '" + d.prefix + "'"
	}
	return line + " " + demoRoom + " " + demoMessage
}

func (d demoLines) websocket() string { return "ws://" + d.addr + d.path }

// String is what the terminal shows.
func (d demoLines) String() string {
	w := new(strings.Builder)
	w.WriteString("roomgate demo: on this machine only, and gone when you press Ctrl-C.\n\n")
	fmt.Fprintf(w, "Open      http://%s/\n", d.addr)
	fmt.Fprintf(w, "Publish   %s\n", d.redisCLI())
	if _, err := exec.LookPath("redis-cli"); err != nil {
		fmt.Fprintf(w, "          or, as there is no redis-cli on this machine:\n          %s\n", d.publish())
	}
	fmt.Fprintf(w, "Token     T=%s\n", d.token)
	fmt.Fprintf(w, "Listen    %s=$T %s tail %s\n", tokenVariable, d.program, d.websocket())
	fmt.Fprintf(w, "          npx wscat -c \"%s?token=$T\"\n\n", d.websocket())
	return w.String()
}
