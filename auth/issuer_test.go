package auth

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewSaysAllThatIsWrong(t *testing.T) {
	_, err := New(Options{
		Issuers: []Issuer{{
			Issuer:     "https://one.example",
			Secrets:    [][]byte{secret32, []byte("too short")},
			Algorithms: []string{"HS256", "RS256"},
			Audience:   []string{""},
			Leeway:     -time.Second,
		}, {
			JWKSURL:     "http://two.example/keys",
			Algorithms:  []string{"HS256"},
			Audience:    []string{"chat"},
			AnyAudience: true,
		}},
		KeysStale:    time.Minute,
		RoomsClaim:   "a..b",
		PublishClaim: ".",
		AutoRooms:    []string{"ok", "user:{sub", "team-*"},
		AllowRooms:   []string{"x:{}", "a b"},
		PublishRooms: slices.Repeat([]string{"x"}, maxTemplates+1),
	})
	if err == nil {
		t.Fatal("New accepted it")
	}
	for _, want := range []string{
		"Issuers[0].Secrets[1] has 9 bytes", `Issuers[0].Algorithms has "RS256"`, "Issuers[0].Audience has an empty", "Issuers[0].Leeway",
		"Issuers[1].Issuer is empty beside others", "Issuers[1].JWKSURL is http", `Issuers[1].Algorithms has "HS256"`,
		"Issuers[1] has Audience and AnyAudience", "KeysStale is 1m0s", "RoomsClaim", "PublishClaim",
		`AutoRooms[1] "user:{sub"`, `AutoRooms[2] "team-*" is a pattern`, `AllowRooms[0]`, `AllowRooms[1]`, `PublishRooms has 1001`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q", want)
		}
	}
	if strings.Contains(err.Error(), "too short") || strings.Contains(err.Error(), "AutoRooms[0]") {
		t.Errorf("the error says too much: %v", err)
	}
}

func TestIssuersThatAreRefused(t *testing.T) {
	secret := func(change func(*Issuer)) Issuer {
		i := Issuer{Secrets: [][]byte{secret64}}
		change(&i)
		return i
	}
	public := func(change func(*Issuer)) Issuer {
		i := Issuer{Issuer: "https://idp.example", JWKSURL: "https://idp.example/keys", Audience: []string{"chat"}}
		change(&i)
		return i
	}
	discovered := func(issuer string) Issuer {
		return Issuer{Issuer: issuer, Discovery: true, AnyAudience: true}
	}
	for name, tc := range map[string]struct {
		issuers []Issuer
		want    string
	}{
		"none":                      {nil, "at least one"},
		"no keys":                   {[]Issuer{{AnyAudience: true}}, "0 sources"},
		"an empty secret":           {[]Issuer{secret(func(i *Issuer) { i.Secrets = [][]byte{{}} })}, "0 bytes"},
		"a secret of 31 bytes":      {[]Issuer{secret(func(i *Issuer) { i.Secrets[0] = secret32[:31] })}, "31 bytes"},
		"no algorithm":              {[]Issuer{secret(func(i *Issuer) { i.Algorithms = []string{} })}, "Algorithms is empty"},
		"alg none":                  {[]Issuer{secret(func(i *Issuer) { i.Algorithms = []string{"none"} })}, `"none"`},
		"alg none of public keys":   {[]Issuer{public(func(i *Issuer) { i.Algorithms = []string{"none"} })}, `"none"`},
		"RS256 with secrets":        {[]Issuer{secret(func(i *Issuer) { i.Algorithms = []string{"RS256"} })}, `"RS256"`},
		"HS256 with public keys":    {[]Issuer{public(func(i *Issuer) { i.Algorithms = []string{"RS256", "HS256"} })}, `"HS256"`},
		"too short for HS512":       {[]Issuer{secret(func(i *Issuer) { i.Secrets = [][]byte{secret64, secret32}; i.Algorithms = []string{"HS512"} })}, "too few"},
		"secrets and a JWKS":        {[]Issuer{public(func(i *Issuer) { i.Secrets = [][]byte{secret32} })}, "2 sources"},
		"a JWKS and discovery":      {[]Issuer{public(func(i *Issuer) { i.Discovery = true })}, "2 sources"},
		"no audience":               {[]Issuer{public(func(i *Issuer) { i.Audience = nil })}, "Audience is empty"},
		"http":                      {[]Issuer{public(func(i *Issuer) { i.JWKSURL = "http://idp.example/keys" })}, "is http"},
		"a file":                    {[]Issuer{public(func(i *Issuer) { i.JWKSURL = "file:///etc/keys"; i.InsecureHTTP = true })}, "not a URL"},
		"no host":                   {[]Issuer{public(func(i *Issuer) { i.JWKSURL = "https:///keys" })}, "not a URL"},
		"another scheme":            {[]Issuer{public(func(i *Issuer) { i.JWKSURL = "ftp://idp.example/keys"; i.InsecureHTTP = true })}, "is not https"},
		"a user in the URL":         {[]Issuer{public(func(i *Issuer) { i.JWKSURL = "https://u:hunter2@idp.example/keys" })}, "has a user"},
		"discovery without issuer":  {[]Issuer{discovered("")}, "not a URL"},
		"discovery of a name":       {[]Issuer{discovered("idp")}, "not a URL"},
		"discovery with a query":    {[]Issuer{discovered("https://idp.example/?realm=a")}, "has a query"},
		"discovery by http":         {[]Issuer{discovered("http://idp.example")}, "is http"},
		"an iss no token can have":  {[]Issuer{public(func(i *Issuer) { i.Issuer = "a\nb" })}, "control character"},
		"an iss that is not UTF-8":  {[]Issuer{public(func(i *Issuer) { i.Issuer = "\xff" })}, "control character"},
		"the same issuer twice":     {[]Issuer{public(func(*Issuer) {}), public(func(*Issuer) {})}, "there twice"},
		"any iss, beside another":   {[]Issuer{public(func(*Issuer) {}), secret(func(*Issuer) {})}, "beside others"},
		"another, beside any iss":   {[]Issuer{secret(func(*Issuer) {}), public(func(*Issuer) {})}, "beside others"},
		"an audience, and any":      {[]Issuer{public(func(i *Issuer) { i.AnyAudience = true })}, "Audience and AnyAudience"},
		"an audience that is empty": {[]Issuer{public(func(i *Issuer) { i.Audience = []string{"chat", ""} })}, "empty entry"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Issuers: tc.issuers})
			switch {
			case err == nil:
				t.Error("New accepted it")
			case !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2"):
				t.Errorf("got %v, want %q in it, and no password", err, tc.want)
			}
		})
	}
}

func TestVerifierKeepsItsOwnCopyOfTheOptions(t *testing.T) {
	secret := append([]byte(nil), secret32...)
	o := Options{Issuers: []Issuer{{Secrets: [][]byte{secret}, Algorithms: []string{"HS256"}, Audience: []string{"chat"}}}}
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	o.Issuers[0].Algorithms[0], o.Issuers[0].Audience[0] = "none", "evil"
	grantOf(t, v, with(`"aud":"chat"`))
}

func TestNewFetchesNothing(t *testing.T) {
	v, err := New(Options{
		Issuers: []Issuer{{Issuer: "https://127.0.0.1:1", Discovery: true, AnyAudience: true}},
		RootCAs: x509.NewCertPool(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Ready(); err == nil || !strings.Contains(err.Error(), "not fetched yet") {
		t.Errorf("Ready = %v, want that keys are not fetched yet", err)
	}
}
