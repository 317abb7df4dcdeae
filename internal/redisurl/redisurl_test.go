package redisurl

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]URL{
		"redis://h":                             {Addrs: []string{"h:6379"}},
		"redis://h:1/3":                         {Addrs: []string{"h:1"}, DB: 3},
		"redis://h/":                            {Addrs: []string{"h:6379"}},
		"redis://:p%40%2Fss@h":                  {Addrs: []string{"h:6379"}, Password: "p@/ss"},
		"redis://u:a:b@h":                       {Addrs: []string{"h:6379"}, Username: "u", Password: "a:b"},
		"rediss://u:p@h:1,i,[::1]:2/15":         {TLS: true, Addrs: []string{"h:1", "i:6379", "[::1]:2"}, Username: "u", Password: "p", DB: 15},
		"unix:///run/redis.sock":                {Mode: Socket, Addrs: []string{"/run/redis.sock"}},
		"unix://u:p@/run/a%20b.sock?db=2":       {Mode: Socket, Addrs: []string{"/run/a b.sock"}, Username: "u", Password: "p", DB: 2},
		"redis+sentinel://a,b:1,c/mymaster":     {Mode: Sentinel, Addrs: []string{"a:26379", "b:1", "c:26379"}, Master: "mymaster"},
		"rediss+sentinel://u:p@a/my%2Fmaster/4": {Mode: Sentinel, TLS: true, Addrs: []string{"a:26379"}, Username: "u", Password: "p", Master: "my/master", DB: 4},
		"redis+cluster://a:1,b/":                {Mode: Cluster, Addrs: []string{"a:1", "b:6379"}},
		"rediss+cluster://:p@a/0":               {Mode: Cluster, TLS: true, Addrs: []string{"a:6379"}, Password: "p"},
	} {
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseRefusesAndRepeatsNothing(t *testing.T) {
	for text, want := range map[string]error{
		"":                                errScheme,
		"s3cret":                          errScheme,
		"http://u:s3cret@h":               errScheme,
		"s3cret://h":                      errScheme,
		"redis:h:s3cret":                  errScheme,
		"redis://":                        errHost,
		"redis:///0":                      errHost,
		"redis://u:s3cret@":               errHost,
		"redis://u:s3c/ret@h":             errMalformed,
		"redis://u:s3c?ret@h":             errMalformed,
		"redis://u:s3c#ret@h":             errMalformed,
		"redis://u:s3cret%@h":             errMalformed,
		"redis://u:s3 cret@h":             errMalformed,
		"redis://u:s3cret@h:port":         errHost,
		"redis://h:s3cret":                errHost,
		"redis://h:0":                     errHost,
		"redis://h:65536":                 errHost,
		"redis://h,":                      errHost,
		"redis://a:1:2":                   errHost,
		"redis://h:1/s3cret":              errDB,
		"redis://h:1/-1":                  errDB,
		"redis://h:1?skip_verify=true":    errOptions,
		"rediss://h:1/0#s3cret":           errOptions,
		"unix://redis.sock":               errSocket,
		"unix:///":                        errSocket,
		"unix:///s.sock?db=s3cret":        errSocket,
		"unix:///s.sock?password=s3cret":  errSocket,
		"unix:///s.sock?db=1&user=s3cret": errSocket,
		"redis+sentinel://h":              errMaster,
		"redis+sentinel://h/m/s3cret":     errMaster,
		"redis+sentinel://h//1":           errMaster,
		"redis+cluster://h/1":             errCluster,
		"redis+cluster://h/s3cret":        errCluster,
	} {
		_, err := Parse(text)
		if !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %v, want %v", text, err, want)
		}
	}
}

func TestAURLIsPrintedWithoutItsPassword(t *testing.T) {
	for text, want := range map[string]string{
		"rediss://u:s3cret@h,i:1/3":              "rediss://h:6379,i:1/3",
		"redis+sentinel://u:s3cret@h/mymaster/1": "redis+sentinel://h:26379/mymaster/1",
		"rediss+cluster://u:s3cret@h":            "rediss+cluster://h:6379",
		"unix://u:s3cret@/run/redis.sock?db=1":   "unix:///run/redis.sock?db=1",
		"redis://:s3cret@[2001:db8::1]:7000/0":   "redis://[2001:db8::1]:7000",
	} {
		u, _ := Parse(text)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			if got := fmt.Sprintf(verb, u); got != want {
				t.Errorf("%q printed by %s is %q, want %q", text, verb, got, want)
			}
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:s3cret@h:1,i/3", "rediss://h", "unix://u:p@/run/redis.sock?db=1", "redis+sentinel://a,b:1/m/2",
		"rediss+cluster://a:1,[::1]:2", "redis://u:a/b@h", "redis://h:p#@x", "redis://%zz@h", "redis+cluster://h/1",
	} {
		f.Add(seed)
	}
	fixed := []error{errMalformed, errScheme, errOptions, errHost, errDB, errMaster, errCluster, errSocket}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			for _, known := range fixed {
				if errors.Is(err, known) { // constants, which repeat nothing
					return
				}
			}
			t.Fatalf("Parse(%q): %v, which is none of the fixed errors", text, err)
		}
		if len(u.Addrs) == 0 || u.Mode == Cluster && u.DB != 0 || (u.Mode == Sentinel) != (u.Master != "") {
			t.Fatalf("Parse(%q) = %v, which is not whole", text, u)
		}
		if long := len(u.Password) > 12; long && strings.Count(text, u.Password) == 1 && strings.Contains(u.String(), u.Password) {
			t.Fatalf("Parse(%q) prints its password", text)
		}
	})
}
