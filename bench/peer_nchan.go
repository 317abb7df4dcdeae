//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/roomgate/roomgate/internal/load"
)

// nchan is nginx's module for pub/sub. It verifies no token: of JWTs, nginx's open source knows nothing. It
// has no plain PUBLISH either: messages come over its HTTP endpoint, and never meet Redis.
type nchan struct{ nginx string }

const (
	nchanModule  = "/usr/lib/nginx/modules/ngx_nchan_module.so"
	nchanInstall = "apt-get install nginx libnginx-mod-nchan"
)

func (*nchan) name() string  { return "nchan" }
func (*nchan) title() string { return "Nchan" }

func (p *nchan) prepare(context.Context, *rig) (err error) {
	p.nginx, err = exec.LookPath("nginx")
	if errors.Is(err, exec.ErrNotFound) {
		p.nginx, err = exec.LookPath("/usr/sbin/nginx") // which is not on everybody's PATH
	}
	if err != nil {
		return fmt.Errorf("%w (install it: %s)", err, nchanInstall)
	}
	if _, err := os.Stat(nchanModule); err != nil {
		return fmt.Errorf("nginx has no Nchan: %w (install it: %s)", err, nchanInstall)
	}
	return nil
}

// nchanConfig keeps no message: who is not there gets none, as with the others.
const nchanConfig = `load_module %[1]s;
user root;
daemon off;
worker_processes 1;
pid %[2]s/nginx.pid;
error_log stderr error;
events { worker_connections 19900; multi_accept on; }
http {
    access_log off;
    client_body_temp_path %[2]s/body;
    proxy_temp_path %[2]s/proxy;
    fastcgi_temp_path %[2]s/fastcgi;
    uwsgi_temp_path %[2]s/uwsgi;
    scgi_temp_path %[2]s/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    tcp_nodelay on;
    client_body_buffer_size 64k;
    client_body_in_single_buffer on;
    nchan_max_reserved_memory 1g;
    server {
        listen %[3]s backlog=4096;
        location = /sub {
            nchan_subscriber websocket;
            nchan_channel_id $arg_room;
            nchan_subscriber_first_message newest;
            nchan_websocket_ping_interval %[4]d;
        }
        location = /pub {
            nchan_publisher http;
            nchan_channel_id $arg_room;
            nchan_store_messages off;
        }
    }
}
`

func (p *nchan) start(ctx context.Context, r *rig) (*subject, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(r.dir, "nginx.conf")
	text := fmt.Sprintf(nchanConfig, nchanModule, r.dir, addr, int(heartbeat.Seconds()))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	proc, err := start(addr, p.nginx, []string{"-e", "stderr", "-p", r.dir, "-c", config})
	if err != nil {
		return nil, err
	}
	return &subject{
		process: proc,
		clients: load.Options{
			URL:   "ws://" + addr + "/sub",
			Query: func(_ int, room string) string { return "room=" + room },
		},
		publisher: func(ctx context.Context) (publisher, error) {
			w, err := dialWire(ctx, addr)
			return &nchanPublisher{w}, err
		},
	}, proc.await(ctx, proc.listens)
}

// An nchanPublisher pipelines POSTs over one connection.
type nchanPublisher struct{ *wire }

func (p *nchanPublisher) Publish(room string, payload []byte) error {
	p.out = fmt.Appendf(p.out, "POST /pub?room=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", room, len(payload))
	p.out = append(p.out, payload...)
	return nil
}
