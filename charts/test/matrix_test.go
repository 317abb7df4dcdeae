package chart

import (
	"fmt"
	"testing"
)

// An axis is one thing that is chosen, and what may be chosen; the first is the plain case.
type axis map[string]string

const plain = "plain"

// axes are independent of each other: any choice of one goes with any of another. Those that name files have the same list.
var axes = map[string]axis{
	"tokens": {
		plain:     `secrets: {jwt: {name: roomgate}}`,
		"keys":    `config: {auth: {jwks_url: "https://id.example.com/keys", audience: [chat]}}`,
		"issuers": `{config: {auth: {issuers: [{issuer: "https://a.example.com", secret_file: /etc/roomgate/secrets/own}, {issuer: "https://b.example.com", discovery: true, audience: [chat]}]}}, secrets: {files: [{name: own, key: jwt, path: own}, {name: redis, key: s, path: sentinel}]}}`,
	},
	"redis": {
		plain:      `config: {redis: {url: "redis://redis:6379"}}`,
		"secret":   `secrets: {redisUrl: {name: redis}, redisPassword: {name: redis}}`,
		"sentinel": `{config: {redis: {url: "redis+sentinel://a,b,c/mymaster", sentinel_password_file: /etc/roomgate/secrets/sentinel}}, secrets: {files: [{name: own, key: jwt, path: own}, {name: redis, key: s, path: sentinel}]}, networkPolicy: {redisPorts: [6379, 26379]}}`,
		"trial":    `trialRedis: {enabled: true}`,
	},
	"edge": {
		plain:     `{}`,
		"ingress": `ingress: {enabled: true, className: nginx, host: api.example.com, tlsSecret: api, annotations: {nginx.org/proxy-read-timeout: 90s}}`,
		"any":     `ingress: {enabled: true}`,
		"route":   `httpRoute: {enabled: true, parentRefs: [{name: public, namespace: infra}], hostnames: [api.example.com]}`,
		"legacy":  `httpRoute: {enabled: true, parentRefs: [{name: public}], timeout: ""}`,
		"cloud":   `service: {type: LoadBalancer, port: 443, externalTrafficPolicy: Local, annotations: {a/b: c}}`,
	},
	"tls": {plain: `{}`, "own": `tls: {secret: roomgate-tls}`},
	"scale": {
		plain:   `{}`,
		"cpu":   `autoscaling: {enabled: true}`,
		"conns": `autoscaling: {enabled: true, cpu: 0, connections: 20000, minReplicas: 3}`,
		"keda":  `autoscaling: {enabled: true, connections: 1000000, keda: {enabled: true}}`,
	},
	"watch": {
		plain:      `{}`,
		"operator": `{monitoring: {serviceMonitor: {enabled: true, labels: {release: p}}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}, networkPolicy: {admin: [{podSelector: {matchLabels: {a: b}}}]}}`,
		"no walls": `{monitoring: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true, labels: {release: p}}, selector: 'app="gate"'}, networkPolicy: {enabled: false}, podDisruptionBudget: {enabled: false}}`,
	},
	"pods": {
		plain: `{}`,
		"chosen": `{nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}], affinity: {nodeAffinity: {}}, priorityClassName: high, podLabels: {team: a}, podAnnotations: {a: b},
			image: {digest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", pullSecrets: [registry]}, fullnameOverride: gate, replicas: 5, topologyKeys: [], serviceAccount: {create: false}}`,
		"large":     `{resources: {limits: {cpu: 1500m, memory: 4294967296}}, config: {http: {path: /chat, ping_interval: 25s}, limits: {message_bytes: 1048576, mailbox_bytes: 16MiB, connection_age: 1h}, drain: {delay: 500ms, period: 2m30s}}}`,
		"unlimited": `{resources: {requests: {cpu: 100m}, limits: null}, extraEnv: [{name: ROOMGATE_LOG_LEVEL, value: debug}], networkPolicy: {clients: [{podSelector: {}}], extraEgress: [{ports: [{port: 3000}]}]}, config: {log: {level: warn}, drain: {delay: 0, period: 0s}}}`,
	},
}

// matrix calls f with each choice beside each choice of every other axis, the rest being plain.
func matrix(t *testing.T, f func(t *testing.T, values map[string]any)) {
	done := map[string]bool{}
	for _, one := range sorted(axes) {
		for _, a := range sorted(axes[one]) {
			for _, other := range sorted(axes) {
				for _, b := range sorted(axes[other]) {
					if one == other && a != b {
						continue
					}
					chosen := map[string]string{one: a, other: b}
					name := fmt.Sprint(chosen)
					var texts []string
					for _, x := range sorted(axes) {
						choice := chosen[x]
						if choice == "" {
							choice = plain
						}
						texts = append(texts, axes[x][choice])
					}
					if key := fmt.Sprint(texts); !done[key] {
						done[key] = true
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							f(t, parse(t, texts...))
						})
					}
				}
			}
		}
	}
}

// usual are the least values that install.
func usual(t testing.TB, more ...string) map[string]any {
	t.Helper()
	return parse(t, append([]string{axes["tokens"][plain], axes["redis"][plain]}, more...)...)
}
