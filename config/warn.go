package config

import "fmt"

// Warnings says, a sentence each, what is allowed but better changed. It shows no secret.
func (c *Config) Warnings() []string {
	var warnings []string
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for i, issuer := range c.Auth.Issuers {
		at := shortForm
		if !c.isShort() {
			at = entry(i)
		}
		for n, secret := range issuer.Secrets {
			if len(secret) < hashBytes["HS512"] {
				warn("%ssecret: secret %d of %d has %d bytes; a random one of 64 is stronger and serves every algorithm: %s",
					at, n+1, len(issuer.Secrets), len(secret), generateSecret)
			}
		}
		if issuer.InsecureAnyAudience {
			warn("%sinsecure_any_audience: a token that the issuer made for another service is good here too; "+
				"name this service in %[1]saudience instead", at)
		}
	}
	if c.Auth.InsecureHTTP {
		warn("auth.insecure_http: whoever is on the way to keys that are fetched over http can replace them, and then sign any token")
	}
	if c.HTTP.InsecureAnyOrigin {
		warn("http.insecure_any_origin: any web page may connect; list yours in http.allowed_origins instead")
	}
	for _, network := range c.HTTP.TrustedProxies {
		if network.Bits() == 0 {
			warn("http.trusted_proxies: %v is everybody, and so whoever connects can pass for any address; list your proxies", network)
		}
	}
	return warnings
}

// isShort reports whether the one issuer was given by the short form.
func (c *Config) isShort() bool {
	return len(c.Auth.Secrets) > 0 || c.Auth.JWKSURL != "" || c.Auth.Discovery
}
