package chart

import (
	"strings"
	"testing"
)

// bad are values that are refused, laid over those of a plain install, and what the message has to say: which value
// it is, and what of it.
var bad = map[string]struct{ values, want string }{
	"a value that is none":        {`replica: 3`, "'replica' not allowed"},
	"a nested one":                {`ingress: {hosts: [a]}`, "'/ingress': additional properties 'hosts'"},
	"a setting that is none":      {`config: {http: {addresss: ":80"}}`, "'/config/http': additional properties 'addresss'"},
	"a section that is none":      {`config: {htpp: {}}`, "'/config': additional properties 'htpp'"},
	"a duration without unit":     {`config: {drain: {period: 30}}`, "'/config/drain/period'"},
	"a duration of its own":       {`config: {drain: {period: 30 seconds}}`, "'/config/drain/period'"},
	"a choice that is none":       {`config: {log: {level: loud}}`, "'/config/log/level'"},
	"no number of replicas":       {`replicas: many`, "'/replicas': got string, want integer"},
	"an image with its tag":       {`image: {tag: "a b"}`, "'/image/tag'"},
	"a digest that is none":       {`image: {digest: "sha256:1"}`, "'/image/digest'"},
	"memory in words":             {`resources: {limits: {memory: 1 GB}}`, "'/resources/limits/memory'"},
	"a label of the chart's":      {`podLabels: {app.kubernetes.io/name: x}`, "'/podLabels/app.kubernetes.io~1name'"},
	"a path out of the directory": {`secrets: {files: [{name: a, key: b, path: ../x}]}`, "'/secrets/files/0/path'"},
	"a path that the chart has":   {`secrets: {files: [{name: a, key: b, path: jwt}]}`, "'/secrets/files/0/path'"},

	"an address of clients":      {`config: {http: {addr: ":80"}}`, "config.http.addr: the chart sets it; the port for clients is service.port"},
	"an address of the operator": {`config: {admin: {addr: ":1"}}`, "config.admin: the chart sets admin.addr"},
	"a certificate by path":      {`config: {http: {tls_cert_file: a}}`, "tls.secret"},

	"a secret":                  {`config: {auth: {secret: s3cr3t}}`, "config.auth.secret: a ConfigMap can be read by too many: put it into a Secret, and name that in secrets.jwt"},
	"a secret of an issuer":     {`{secrets: {jwt: {name: ""}}, config: {auth: {issuers: [{issuer: a, secret: s3cr3t}]}}}`, "config.auth.issuers[0].secret:"},
	"a password":                {`config: {redis: {password: s3cr3t}}`, "config.redis.password:"},
	"a password of Sentinels":   {`config: {redis: {sentinel_password: s3cr3t}}`, "config.redis.sentinel_password:"},
	"a password in a URL":       {`config: {redis: {url: "redis://u:s3cr3t@redis"}}`, "config.redis.url has a password:"},
	"a secret in a variable":    {`extraEnv: [{name: JWT_SECRET, value: s3cr3t}]`, "extraEnv: JWT_SECRET is a secret"},
	"a password read twice":     {`{secrets: {redisPassword: {name: a}}, config: {redis: {password_file: /a}}}`, "config.redis.password_file: secrets.redisPassword sets it"},
	"no keys":                   {`secrets: {jwt: {name: ""}}`, "secrets.jwt.name: who signs the tokens?"},
	"keys of two kinds":         {`config: {auth: {jwks_url: "https://id", audience: [a]}}`, "secrets.jwt.name: tokens are verified by this, or by what config.auth has"},
	"no Redis":                  {`config: {redis: {url: ""}}`, "config.redis.url: where is Redis?"},
	"two of Redis":              {`trialRedis: {enabled: true}`, "config.redis.url, trialRedis.enabled: each says where Redis is"},
	"idle for less than a ping": {`{ingress: {enabled: true, idleTimeout: 60}, config: {http: {ping_interval: 1m}}}`, "ingress.idleTimeout: 60 s is not more than http.ping_interval, 60 s"},
	"a route without a Gateway": {`httpRoute: {enabled: true}`, "httpRoute.parentRefs: name the Gateway"},
	"a policy without its type": {`service: {externalTrafficPolicy: Local}`, "service.externalTrafficPolicy: is for"},
	"KEDA alone":                {`autoscaling: {keda: {enabled: true}}`, "autoscaling.keda.enabled: set autoscaling.enabled, too"},
	"less than the least":       {`autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 3}`, "autoscaling.maxReplicas: 3 is less than autoscaling.minReplicas, 5"},
	"scaling by nothing":        {`autoscaling: {enabled: true, cpu: 0}`, "autoscaling.cpu, autoscaling.connections: by what?"},
	"a percentage of nothing":   {`{autoscaling: {enabled: true}, resources: {requests: null}}`, "resources.requests.cpu: autoscaling.cpu is a percentage of it"},
	"a scrape that is kept out": {`monitoring: {serviceMonitor: {enabled: true}}`, "networkPolicy.admin: nobody may scrape"},
}

func TestABadValueIsRefusedAndNamed(t *testing.T) {
	for name, c := range bad {
		t.Run(name, func(t *testing.T) {
			_, err := render(usual(t, c.values))
			if err == nil {
				t.Fatalf("%s was taken, want an error with %q", c.values, c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the message shows the secret: %v", err)
			}
		})
	}
}

func TestThePlainValuesOfTheRefusedAreTaken(t *testing.T) {
	if _, err := render(usual(t)); err != nil {
		t.Error(err)
	}
}
