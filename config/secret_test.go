package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	const canary = "hunter2"
	c := mustLoad(t, "", "ROOMGATE_AUTH_SECRET="+canary+goodSecret+"\n"+goodSecret+canary,
		"REDIS_URL=rediss://user:"+canary+"@redis.example:6379/3", "ROOMGATE_REDIS_PASSWORD="+canary)
	if string(c.Redis.Password) != canary {
		t.Fatal("the secret is not there at all")
	}

	var out bytes.Buffer
	for _, value := range []any{c, *c, c.Auth, c.Auth.Secrets, c.Auth.Secrets[0], c.Auth.Issuers, c.Auth.Issuers[0], &c.Redis.Password, c.Redis, c.Redis.URL} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%10s"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		secrecy.Log(t, slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)).Info("", "value", value)
	}
	fmt.Fprint(&out, c.Redis.Password.String(), c.Redis.URL.String(), c.Redis.URL.LogValue(), c.Auth.Secrets[0].LogValue())

	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), goodSecret} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("%q is in what was printed:\n%s", shown, out.String())
		}
	}
	if want := "rediss://redis.example:6379/3"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in what was printed", want)
	}
}

func TestURLPrintsNothingThatMayBeAPassword(t *testing.T) {
	for url, want := range map[URL]string{
		"redis://user:pass@host:6379/3":               "redis://host:6379/3",
		"redis://user:pass@host:6379/0?password=pass": redacted,
		"redis://host": "redis://host:6379",
		"redis+sentinel://user:pass@a,b/mymaster": "redis+sentinel://a:26379,b:26379/mymaster",
		"redis://user:pa#ss@h":                    redacted,
		"redis://user:12#ss@h":                    redacted,
		"redis://user:12/pass@h":                  redacted,
		"redis://user:12?pass@h":                  redacted,
		"redis://:pa%ss@h":                        redacted,
		"pass":                                    redacted,
		"":                                        "",
	} {
		if got := fmt.Sprint(url); got != want {
			t.Errorf("%s prints as %q, want %q", string(url), got, want)
		}
	}
}

func TestSecretsAreReadOneALine(t *testing.T) {
	const a, b = goodSecret + " a ", goodSecret + "b"
	want := []Secret{a, b}
	path := write(t, "secret", a+"\r\n\r\n"+b+"\n")
	inFile := "auth:\n  secret: |\n    " + a + "\n    " + b + "\n"
	for name, given := range map[string][]string{
		"variable":              {"", "ROOMGATE_AUTH_SECRET=" + a + "\n" + b},
		"twin as a variable":    {"", "ROOMGATE_AUTH_SECRET_FILE=" + path},
		"twin as a flag":        {"", "--auth.secret_file=" + path},
		"twin in the file":      {"auth: {secret_file: " + path + "}"},
		"flag, given twice":     {"", "--auth.secret=" + a, "--auth.secret=" + b},
		"list in the file":      {"auth: {secret: ['" + a + "', '" + b + "']}"},
		"string in the file":    {inFile},
		"empty secret and twin": {"auth: {secret: '', secret_file: " + path + "}"},
	} {
		c, err := load(t, given[0], given[1:]...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(c.Auth.Secrets, want) {
			t.Errorf("%s: got %d secrets that differ from what was given", name, len(c.Auth.Secrets))
		}
	}
}

func TestEachSecretHasATwin(t *testing.T) {
	url := write(t, "url", "redis://redis.example\n")
	password := write(t, "password", "p w\n")
	c := mustLoad(t, "redis: {password_file: "+password+"}", "ROOMGATE_REDIS_URL_FILE="+url)
	if string(c.Redis.URL) != "redis://redis.example" {
		t.Errorf("got url %q", string(c.Redis.URL))
	}
	if c.Redis.PasswordFile != password || c.Redis.Password != "" { // the file is read for each connection
		t.Errorf("got password %q and its file %q, want only the file", string(c.Redis.Password), c.Redis.PasswordFile)
	}
}

func TestAnotherPasswordInItsFileIsNoOtherSetting(t *testing.T) {
	password := write(t, "password", "first")
	yaml := "redis: {password_file: " + password + "}"
	before := mustLoad(t, yaml)
	if err := os.WriteFile(password, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, changed, stuck := before.Take(mustLoad(t, yaml)); len(changed)+len(stuck) > 0 {
		t.Errorf("changed %q, needing a restart %q; want neither", changed, stuck)
	}
	_, changed, stuck := before.Take(mustLoad(t, "redis: {password_file: "+write(t, "other", "third")+"}"))
	if want := []string{"redis.password_file"}; len(changed) > 0 || !reflect.DeepEqual(stuck, want) {
		t.Errorf("changed %q, needing a restart %q; want %q to need one", changed, stuck, want)
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	const canary = "hunter2"
	for name, given := range map[string][]string{
		"short":               {"", "JWT_SECRET=" + canary},
		"short, in a file":    {"auth: {secret: [" + canary + "]}"},
		"in a mapping":        {"auth: {secret: {a: " + canary + "}}"},
		"in a nested list":    {"auth: {secret: [[" + canary + "]]}"},
		"taken for an alias":  {"auth: {secret: *" + canary + "}"},
		"in an issuer":        {"auth: {issuers: [{secret: " + canary + "}]}"},
		"a list in an issuer": {"auth: {issuers: [{secret: [" + canary + "]}]}"},
		"nested in an issuer": {"auth: {issuers: [{secret: [[" + canary + "]]}]}"},
		"as an issuer":        {"auth: {issuers: [" + canary + "]}"},
		"as issuers":          {"auth: {issuers: " + canary + "}"},
		"both in an issuer":   {"auth: {issuers: [{secret: " + canary + ", secret_file: /dev/null}]}"},
		"user of a JWKS":      {"", "ROOMGATE_AUTH_JWKS_URL=https://u:" + canary + "@host"},
		"port of a JWKS":      {"", "ROOMGATE_AUTH_JWKS_URL=https://u@host:" + canary},
		"taken for a tag":     {"auth:\n  secret: !!int " + canary + "\n"},
		"no YAML":             {canary},
		"colon":               {"auth:\n  secret: " + canary + ": x\n"},
		"both":                {"auth: {secret: " + canary + ", secret_file: /dev/null}"},
		"scheme":              {"", "REDIS_URL=http://u:" + canary + "@host"},
		"database":            {"", "REDIS_URL=redis://u:" + canary + "@host/x"},
		"port":                {"", "REDIS_URL=redis://u@host:" + canary},
		"percent":             {"", "REDIS_URL=redis://:%" + canary + "@host"},
		"number sign":         {"", "REDIS_URL=redis://:1#" + canary + "@host"},
	} {
		_, err := load(t, given[0], given[1:]...)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}
