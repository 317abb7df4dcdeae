// Package config reads the settings from file, environment and flags, and refuses a bad set.
// It knows nothing of what the settings are for: only how each is written and what it may be.
package config

import (
	"net/netip"
	"time"
)

//go:generate go test -run TestDocumentIsInSync -update

// Config holds every setting, checked. It is not changed after Load.
//
// Each field is the setting of the same name in the table of this package, from which docs/configuration.md is made;
// that page says what each is for and what zero means. Durations of zero are allowed only where the table says so.
// Printing a Config in any way shows no secret.
type Config struct {
	HTTP struct {
		Addr              string        `mapstructure:"addr"`
		Path              string        `mapstructure:"path"`
		AllowedOrigins    []string      `mapstructure:"allowed_origins"` // empty: the same host only
		InsecureAnyOrigin bool          `mapstructure:"insecure_any_origin"`
		DefaultFormat     string        `mapstructure:"default_format"` // raw or v1
		HandshakeTimeout  time.Duration `mapstructure:"handshake_timeout"`

		Compression          bool `mapstructure:"compression"`
		CompressionThreshold int  `mapstructure:"compression_threshold"` // bytes

		Playground bool `mapstructure:"playground"` // if set, Path is not where the page is

		PingInterval time.Duration `mapstructure:"ping_interval"`
		PongTimeout  time.Duration `mapstructure:"pong_timeout"` // less than PingInterval

		RequireOrigin  bool           `mapstructure:"require_origin"`
		TrustedProxies []netip.Prefix `mapstructure:"trusted_proxies"`    // masked, and none of IPv4 in IPv6
		ProxyHeader    string         `mapstructure:"proxy_header"`       // auto, x-forwarded-for or forwarded
		ProxyProtocol  bool           `mapstructure:"proxy_protocol"`     // if set, TrustedProxies are not empty
		Upstream       string         `mapstructure:"upstream"`           // scheme://host[:port]; empty: none
		TLSCertFile    string         `mapstructure:"tls_cert_file"`      // empty: no TLS
		TLSKeyFile     string         `mapstructure:"tls_key_file"`       // set if and only if TLSCertFile is
		TLSClientCA    string         `mapstructure:"tls_client_ca_file"` // empty: clients need no certificate
	} `mapstructure:"http"`

	Admin struct {
		Addr string `mapstructure:"addr"` // empty: no admin listener (Load turns "off" into that)
	} `mapstructure:"admin"`

	Auth struct {
		// The short form of a single issuer, of which Load makes the one entry of Issuers; at its defaults where Issuers were given.
		Secrets             []Secret      `mapstructure:"secret"`
		JWKSURL             string        `mapstructure:"jwks_url"`
		Discovery           bool          `mapstructure:"discovery"`
		Issuer              string        `mapstructure:"issuer"`
		Audience            []string      `mapstructure:"audience"`
		InsecureAnyAudience bool          `mapstructure:"insecure_any_audience"`
		Algorithms          []string      `mapstructure:"algorithms"` // as in the one entry: those that go with its keys, if none were given
		Leeway              time.Duration `mapstructure:"leeway"`

		Issuers       []Issuer      `mapstructure:"issuers"` // at least one, unless Source.Only leaves auth out
		InsecureHTTP  bool          `mapstructure:"insecure_http"`
		CAFile        string        `mapstructure:"ca_file"` // empty: the system's authorities only
		JWKSStale     time.Duration `mapstructure:"jwks_stale"`
		Revoked       bool          `mapstructure:"revoked"`
		RevokedPrefix string        `mapstructure:"revoked_prefix"` // not empty

		RoomsClaim   string        `mapstructure:"rooms_claim"`   // a dotted path
		PublishClaim string        `mapstructure:"publish_claim"` // a dotted path
		TokenFrom    []string      `mapstructure:"token_from"`    // at least one
		Cookie       string        `mapstructure:"cookie"`        // set if and only if TokenFrom has "cookie"
		Reject       string        `mapstructure:"reject"`        // close or status
		Timeout      time.Duration `mapstructure:"timeout"`
		Expiring     time.Duration `mapstructure:"expiring"` // 0: never
	} `mapstructure:"auth"`

	Rooms struct {
		Auto    []string `mapstructure:"auto"`
		Allow   []string `mapstructure:"allow"`
		Publish []string `mapstructure:"publish"`
	} `mapstructure:"rooms"`

	Redis struct {
		URL          URL    `mapstructure:"url"`
		Sharded      bool   `mapstructure:"sharded"`  // set only if URL is of a Cluster
		Username     string `mapstructure:"username"` // empty: the one in URL
		Password     Secret `mapstructure:"password"` // empty: the one in PasswordFile, or in URL
		PasswordFile string `mapstructure:"password_file"`

		SentinelUsername     string `mapstructure:"sentinel_username"`      // set only if URL is of Sentinels
		SentinelPassword     Secret `mapstructure:"sentinel_password"`      // likewise; empty: the one in SentinelPasswordFile, or none
		SentinelPasswordFile string `mapstructure:"sentinel_password_file"` // likewise

		CAFile         string        `mapstructure:"ca_file"`   // empty: the system's authorities only
		CertFile       string        `mapstructure:"cert_file"` // empty: no certificate
		KeyFile        string        `mapstructure:"key_file"`  // set if and only if CertFile is
		ChannelPrefix  string        `mapstructure:"channel_prefix"`
		LeaveDelay     time.Duration `mapstructure:"leave_delay"`
		CanaryInterval time.Duration `mapstructure:"canary_interval"`
		CanaryTimeout  time.Duration `mapstructure:"canary_timeout"` // at least twice CanaryInterval
		Timeout        time.Duration `mapstructure:"timeout"`
	} `mapstructure:"redis"`

	Control struct {
		Enabled bool   `mapstructure:"enabled"`
		Channel string `mapstructure:"channel"` // not empty; if Enabled, not under Redis.ChannelPrefix
	} `mapstructure:"control"`

	Limits struct {
		Connections        int           `mapstructure:"connections"`         // 0: as many as the open-files limit permits
		ConnectsPerSecond  int           `mapstructure:"connects_per_second"` // 0: no limit
		Handshakes         int           `mapstructure:"handshakes"`          // 0: a quarter of what that limit leaves
		UpstreamRequests   int           `mapstructure:"upstream_requests"`   // 0: likewise
		RoomsPerConnection int           `mapstructure:"rooms_per_connection"`
		MessageBytes       int           `mapstructure:"message_bytes"`
		MessagesPerMinute  int           `mapstructure:"messages_per_minute"` // 0: no limit
		MessageBurst       int           `mapstructure:"message_burst"`
		OutboxBytes        int           `mapstructure:"outbox_bytes"`
		OutboxTotalBytes   int           `mapstructure:"outbox_total_bytes"` // 0: a quarter of GOMEMLIMIT
		MailboxBytes       int           `mapstructure:"mailbox_bytes"`
		FrameTimeout       time.Duration `mapstructure:"frame_timeout"`

		// 0: the default for public addresses, and no limit for loopback and private ones; -1: no limit.
		ConnectionsPerAddress  int `mapstructure:"connections_per_address"`
		HandshakesPerAddress   int `mapstructure:"handshakes_per_address"`    // a minute
		FailedTokensPerAddress int `mapstructure:"failed_tokens_per_address"` // a minute

		ConnectionsPerUser  int           `mapstructure:"connections_per_user"`  // 0: no limit
		SubscribesPerMinute int           `mapstructure:"subscribes_per_minute"` // 0: no limit but MessagesPerMinute
		ConnectionAge       time.Duration `mapstructure:"connection_age"`        // 0: no limit; or else a minute or more
		DryRun              []string      `mapstructure:"dry_run"`               // names of limits
	} `mapstructure:"limits"`

	Gap struct {
		Spread time.Duration `mapstructure:"spread"` // 0: at once
	} `mapstructure:"gap"`

	Drain struct {
		Delay  time.Duration `mapstructure:"delay"`
		Period time.Duration `mapstructure:"period"`
	} `mapstructure:"drain"`

	Log struct {
		Level  string `mapstructure:"level"`  // debug, info, warn or error
		Format string `mapstructure:"format"` // json or text
	} `mapstructure:"log"`
}

// An Issuer is whose tokens are believed, and how. It has exactly one of Secrets, JWKSURL and Discovery.
type Issuer struct {
	Issuer              string        `mapstructure:"issuer"`   // empty: any; never with Discovery, nor beside other issuers
	Audience            []string      `mapstructure:"audience"` // empty: any; without Secrets only if InsecureAnyAudience
	Secrets             []Secret      `mapstructure:"secret"`   // each of 32 bytes or more
	JWKSURL             string        `mapstructure:"jwks_url"` // https, unless Auth.InsecureHTTP
	Discovery           bool          `mapstructure:"discovery"`
	Algorithms          []string      `mapstructure:"algorithms"` // at least one: HS… with Secrets, and no HS… otherwise
	Leeway              time.Duration `mapstructure:"leeway"`     // 0: none
	InsecureAnyAudience bool          `mapstructure:"insecure_any_audience"`
}
