package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/roomgate/roomgate/config"
)

// A benchRedis publishes as a backend under load does: one write for all that is due.
type benchRedis struct {
	client  *redis.Client
	prefix  string
	timeout time.Duration
	due     redis.Pipeliner
}

// dialBenchRedis connects to the Redis of c, whose URL config has checked.
func dialBenchRedis(ctx context.Context, c *config.Config) (*benchRedis, error) {
	o, err := redis.ParseURL(string(c.Redis.URL))
	if err != nil {
		return nil, errors.New("redis.url: malformed (not shown, it may hold a password)")
	}
	if c.Redis.Username != "" {
		o.Username = c.Redis.Username
	}
	if c.Redis.Password != "" {
		o.Password = string(c.Redis.Password)
	}
	if c.Redis.CAFile != "" {
		if o.TLSConfig, err = redisAuthorities(o.TLSConfig, c.Redis.CAFile); err != nil {
			return nil, err
		}
	}
	o.DB = 0 // messages come whatever the database, and without one no SELECT must be allowed
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = c.Redis.Timeout, c.Redis.Timeout, c.Redis.Timeout
	o.PoolSize, o.PipelinePoolSize, o.DialerRetries = 1, -1, 1
	o.MaxRetries = -1 // a PUBLISH sent twice would count as duplicated
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	r := &benchRedis{client: redis.NewClient(o), prefix: c.Redis.ChannelPrefix, timeout: c.Redis.Timeout}
	r.due = r.client.Pipeline()
	if err := r.client.Ping(ctx).Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") { // PUBLISH may be all that is allowed
		r.Close()
		return nil, fmt.Errorf("connecting to %v, to publish there: %w", c.Redis.URL, err)
	}
	return r, nil
}

func redisAuthorities(t *tls.Config, file string) (*tls.Config, error) {
	if t == nil {
		return nil, errors.New("redis.ca_file is given, but redis.url does not begin with rediss://")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("redis.ca_file: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("redis.ca_file: no certificate in PEM form is in it")
	}
	return t, nil
}

// publish is for load.Traffic.
func (r *benchRedis) publish(room string, payload []byte) error {
	return r.due.Publish(context.Background(), r.prefix+room, payload).Err()
}

// flush sends what is due, and waits until Redis has taken it.
func (r *benchRedis) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	if _, err := r.due.Exec(ctx); err != nil {
		return fmt.Errorf("Redis has not taken it: %w", err)
	}
	return nil
}

func (r *benchRedis) Close() { r.client.Close() }
