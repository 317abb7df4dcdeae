package config

import (
	"strings"
	"testing"
	"time"
)

// refusal is what must be refused, and what the error must say.
type refusal struct {
	yaml  string
	given string // a flag or a variable; empty: none
	want  string
}

// checkRefusals loads each, with a good secret beside it.
func checkRefusals(t *testing.T, refusals []refusal) {
	t.Helper()
	checkRefusalsWith(t, refusals, signed)
}

func checkRefusalsWith(t *testing.T, refusals []refusal, also ...string) {
	t.Helper()
	for _, r := range refusals {
		_, err := load(t, r.yaml, append([]string{r.given}, also...)...)
		switch {
		case err == nil:
			t.Errorf("%s%s: not refused, want %q", r.yaml, r.given, r.want)
		case !strings.Contains(err.Error(), r.want):
			t.Errorf("%s%s: refused with\n%v\nwant\n%s", r.yaml, r.given, err, r.want)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%s%s: more than one error: %v", r.yaml, r.given, err)
		}
	}
}

func TestAllErrorsAreToldAtOnce(t *testing.T) {
	_, err := load(t, "http: {pathh: /x}\nlog: {level: loud}", "--limits.message_burst=0", "ROOMGATE_REDIS_TIMEOUT=5", "PORT=x", "ROOMGATE_FOO=1")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"environment ROOMGATE_FOO: no such setting",
		"http.pathh (file ", "did you mean http.path?",
		`http.addr (environment PORT): "x" is not a port number`,
		"auth.secret (default): is required",
		`redis.timeout (environment ROOMGATE_REDIS_TIMEOUT): "5" is not a duration with its unit, such as 30s`,
		"limits.message_burst (flag --limits.message_burst): 0 is less than 1",
		`"loud" is not one of debug, info, warn, error`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in\n%v", want, err)
		}
	}
}

func TestOnlyTheSectionsInUseMustBeGood(t *testing.T) {
	environ := []string{"ROOMGATE_REDIS_URL=redis://r.example:1", "ROOMGATE_HTTP_ADDR=x", "ROOMGATE_LIMITS_MESSAGE_BURST=many"}
	_, err := Load(Source{Environ: environ, Only: []string{"redis", "limits"}})
	if want := "limits.message_burst (environment ROOMGATE_LIMITS_MESSAGE_BURST)"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a bad value in a section that is used: got error %v, want one of %s", err, want)
	}
	c, err := Load(Source{Environ: environ, Only: []string{"redis"}}) // without a secret, which auth requires
	if err != nil {
		t.Fatalf("bad values in sections that are not used: %v", err)
	}
	if got, want := string(c.Redis.URL), "redis://r.example:1"; got != want {
		t.Errorf("redis.url is %s, want %s", got, want)
	}
	if _, err = Load(Source{Environ: []string{"ROOMGATE_HTTP_ADR=:1"}, Only: []string{"redis"}}); err == nil {
		t.Error("an unknown name was not refused")
	}
}

func TestUnknownNamesCanBePassedOver(t *testing.T) {
	file := write(t, "roomgate.yaml", "http: {pathh: /x}\nfrobnicate: 1\nauth: {issuers: [{colour: red}]}\nredis: {timeout: 7s}")
	source := Source{Environ: []string{"ROOMGATE_FOO=1", "ROOMGATE_REDIS=x", "ROOMGATE_REDIS_SERVICE_HOST=x"}, File: file,
		Only: []string{"redis"}, AnyName: true}
	c, err := Load(source)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Redis.Timeout, 7*time.Second; got != want {
		t.Errorf("redis.timeout is %v, want %v", got, want)
	}
	source.Environ = append(source.Environ, "ROOMGATE_REDIS_TIMEOUT=soon")
	if _, err = Load(source); err == nil {
		t.Error("a bad value was passed over, too")
	}
}

func TestUnknownNameIsRefusedWithTheNearest(t *testing.T) {
	checkRefusals(t, []refusal{
		{"redis: {urll: x}", "", "did you mean redis.url?"},
		{"redis: {url: {a: b}}", "", "its value is not a string"},
		{"auth: {secret_fil: x}", "", "did you mean auth.secret_file?"},
		{"frobnicate: true", "", "frobnicate (file "},
		{"frobnicate: true", "", "--help lists all"},
		{"redis: true", "", "is a section: put its settings below it"},
		{"", "ROOMGATE_REDIS_URI=x", "did you mean ROOMGATE_REDIS_URL?"},
		{"", "ROOMGATE_AUTH_SECRETS_FILE=x", "did you mean ROOMGATE_AUTH_SECRET_FILE?"},
		{"", "ROOMGATE_CONFIGS=x", "did you mean ROOMGATE_CONFIG?"},
		{"", "ROOMGATE_PORT=8080", "environment ROOMGATE_PORT: no such setting"},
		{"", "ROOMGATE_REDIS=x", "is a section, not a setting: set its settings, such as ROOMGATE_REDIS_URL"},
	})
}

func TestServiceLinksOfKubernetesAreRefusedAsSuch(t *testing.T) {
	links := []string{
		"ROOMGATE_SERVICE_HOST=10.0.0.1", "ROOMGATE_SERVICE_PORT=8080", "ROOMGATE_SERVICE_PORT_HTTP=8080",
		"ROOMGATE_PORT=tcp://10.0.0.1:8080", "ROOMGATE_PORT_8080_TCP=tcp://10.0.0.1:8080",
		"ROOMGATE_PORT_8080_TCP_PROTO=tcp", "ROOMGATE_PORT_8080_TCP_PORT=8080", "ROOMGATE_PORT_8080_TCP_ADDR=10.0.0.1",
		"ROOMGATE_REDIS_PORT=tcp://10.0.0.1:6379", "ROOMGATE_REDIS_SERVICE_HOST=10.0.0.1",
	}
	for _, link := range links {
		checkRefusals(t, []refusal{{"", link, "set enableServiceLinks: false"}})
	}
	_, err := load(t, "", append(links, signed)...)
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("all together are not one error: %v", err)
	}
}

func TestFileThatCannotBeReadIsRefused(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "ROOMGATE_CONFIG=/nowhere/roomgate.yaml", "/nowhere/roomgate.yaml: no such file"},
		{"http: [", "", "is not a YAML mapping of settings: line "},
		{"- http", "", "is not a YAML mapping of settings"},
		{"http:\n  path: /a\n  path: /b", "", `line 3: mapping key "path" already defined at line 2`},
	})
}

func TestValueOfAnotherKindIsRefused(t *testing.T) {
	checkRefusals(t, []refusal{
		{"limits: {message_burst: true}", "", "true is not a whole number"},
		{"limits: {message_burst: 1.5}", "", "1.5 is not a whole number"},
		{"limits: {message_bytes: 1KB}", "", `"1KB" is not a size such as`},
		{"limits: {message_bytes: -1}", "", "-1 is less than 1"},
		{"limits: {message_bytes: 9999999999GiB}", "", "is not a size"},
		{"http: {ping_interval: 30}", "", "30 is not a duration with its unit"},
		{"http: {insecure_any_origin: 1}", "", "1 is not true or false"},
		{"http: {insecure_any_origin: yes}", "", `"yes" is not true or false`},
		{"http: {path: true}", "", "true is not a string"},
		{"http: {path: [a]}", "", "[a] is not a string"},
		{"auth: {audience: [1]}", "", "[1] is not a list"},
		{"rooms: {auto: 1}", "", "1 is not a list, or a string with spaces between"},
		{"redis: {password: 123}", "", "its value is not a string (quotes make it one)"},
		{"redis: {password_file: 123}", "", "123 is not a string"},
	})
}

func TestSecretAndItsTwinTogetherAreRefused(t *testing.T) {
	path := write(t, "secret", goodSecret)
	checkRefusals(t, []refusal{
		{"auth: {secret_file: " + path + "}", "", "auth.secret (environment JWT_SECRET): auth.secret_file is set too (file "},
		{"redis: {url: redis://a}", "--redis.url_file=" + path, "redis.url_file is set too (flag --redis.url_file)"},
	})
}

func TestTwinThatHoldsNothingIsRefused(t *testing.T) {
	empty := write(t, "empty", "\n")
	checkRefusals(t, []refusal{
		{"", "ROOMGATE_REDIS_PASSWORD_FILE=/nowhere", "redis.password_file (environment ROOMGATE_REDIS_PASSWORD_FILE): reading the secret: open /nowhere"},
		{"redis: {url_file: " + empty + "}", "", empty + " is empty"},
	})
	if _, err := load(t, "", "--auth.secret_file=/nowhere"); err == nil || strings.Contains(err.Error(), "required") {
		t.Errorf("got %v, want the one error that the file cannot be read", err)
	}
}

func TestUnknownVariableWithoutAValueCountsAsNotSet(t *testing.T) {
	mustLoad(t, "", "ROOMGATE_FOO=", "ROOMGATE_REDIS=", "ROOMGATE_AUTH_ISSUERS=", "ROOMGATE_HTTP_ADDR=")
	checkRefusals(t, []refusal{{"", "ROOMGATE_FOO= ", "environment ROOMGATE_FOO: no such setting"}})
}

func TestRoomTemplatesAreAtMostAThousand(t *testing.T) {
	list := func(n int) string { return strings.TrimSpace(strings.Repeat("a ", n)) }
	for _, key := range []string{"rooms.auto", "rooms.allow", "rooms.publish"} {
		mustLoad(t, "", "--"+key+"="+list(1000))
		checkRefusals(t, []refusal{{"", "--" + key + "=" + list(1001), key + " (flag --" + key + "): has 1001 entries, of at most 1000"}})
	}
}
