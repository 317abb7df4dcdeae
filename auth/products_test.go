package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The documents in testdata have the shape of what five products publish; keys, certificates and
// the origin ($N1, $X5C1, $ORIGIN …) are put in by the test.
func TestIdentityProductsAreAccepted(t *testing.T) {
	const chat = "3a7c9a52-6f1e-4d7b-9c1a-2f4b8d0e6a11"
	for product, tc := range map[string]struct {
		issuer   string // beyond the origin
		keys     string // the path of jwks_uri
		kid      string
		audience string
		rooms    string // the claim
		header   string // beside alg and kid
		claims   string // beside iss and exp
	}{
		"keycloak": {
			"/realms/demo", "/realms/demo/protocol/openid-connect/certs", "V3xk0v9bHqv1qVb8kYw1e0Yb7rQfT5cPz2mJ6nLs4dU", "chat",
			"realm_access.roles", `,"typ":"JWT"`,
			`"iat":1767225600,"jti":"onrtac:0f0d","aud":["chat","account"],"sub":"f:1:u42","typ":"Bearer","azp":"web","acr":"1",
			"realm_access":{"roles":["room1","offline_access"]},"resource_access":{"account":{"roles":["view-profile"]}},"scope":"openid"`,
		},
		"auth0": {
			"/", "/.well-known/jwks.json", "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg", "https://chat.example/api",
			"https://chat.example/rooms", `,"typ":"JWT"`,
			`"sub":"auth0|42","aud":["https://chat.example/api","https://demo.auth0.example/userinfo"],"iat":1767225600,"azp":"web",
			"scope":"openid profile","https://chat.example/rooms":["room1"]`,
		},
		"okta": {
			"/oauth2/default", "/oauth2/default/v1/keys", "U5R8cHbGw445Qbq8zVO1PcCpXL8yG6IcovVa3laCoxM", "api://default",
			"scp", ``,
			`"ver":1,"jti":"AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE","aud":"api://default","iat":1767225600,"cid":"web",
			"uid":"00u1","scp":["openid","room1"],"sub":"u42@example.com"`,
		},
		"entra": {
			"/9f0a2c1e-5a4d-4b8e-8d57-1d3c6f1b7a20/v2.0", "/9f0a2c1e-5a4d-4b8e-8d57-1d3c6f1b7a20/discovery/v2.0/keys", "nOo3ZDrODXEK1jKWhXslHR_KXEg", chat,
			"roles", `,"typ":"JWT"`,
			`"aud":"` + chat + `","iat":1767225600,"nbf":1767225600,"aio":"AWQA","azp":"web","azpacr":"0","name":"Ann","oid":"0c5","rh":"0.A",
			"roles":["room1"],"scp":"chat","sub":"u42","tid":"9f0a2c1e-5a4d-4b8e-8d57-1d3c6f1b7a20","uti":"x","ver":"2.0"`,
		},
		"cognito": {
			"/eu-west-1_a1B2c3D4e", "/eu-west-1_a1B2c3D4e/.well-known/jwks.json", "1234exampleZs7bQmV4rN1kL8yW2uC6fG3hJ5tA0eB0=", "1example23456789",
			"cognito:groups", ``,
			`"sub":"aaaaaaaa-bbbb-cccc-dddd-example","cognito:groups":["room1"],"email_verified":true,"cognito:username":"ann",
			"aud":"1example23456789","event_id":"64f","token_use":"id","auth_time":1767225600,"iat":1767225600,"email":"ann@example.com"`,
		},
	} {
		t.Run(product, func(t *testing.T) {
			document := fixture(t, product, tc.kid)
			discovery := strings.TrimSuffix(tc.issuer, "/") + "/.well-known/openid-configuration"
			s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case discovery:
					write(w, document("openid-configuration", "https://"+r.Host))
				case tc.keys:
					write(w, document("jwks", "https://"+r.Host))
				default:
					http.NotFound(w, r)
				}
			})
			v := running(t, Options{
				Issuers:    []Issuer{{Issuer: s.URL + tc.issuer, Discovery: true, Audience: []string{tc.audience}}},
				RootCAs:    roots,
				RoomsClaim: tc.rooms,
			})
			claims := with(`"iss":"` + s.URL + tc.issuer + `",` + tc.claims)
			header := `{"alg":"RS256","kid":"` + tc.kid + `"` + tc.header + `}`
			g, err := v.Verify(t.Context(), signKey("RS256", rsaOne(), header, claims))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(g.Named(), "room1") || g.Subject == "" {
				t.Errorf("got %+v, want a subject, and room1 to join", g)
			}
			refused(t, v, signKey("RS256", rsaTwo(), header, claims), reasonSignature)
		})
	}
}

// fixture fills in the documents of a product.
func fixture(t *testing.T, product, kid string) func(name, origin string) string {
	t.Helper()
	replace := []string{"$KID", kid}
	for i, private := range []*rsa.PrivateKey{rsaOne(), rsaTwo()} {
		n := string(rune('1' + i))
		cert := selfSigned(t, private)
		sum1, sum256 := sha1.Sum(cert), sha256.Sum256(cert)
		replace = append(replace, "$X5C"+n, base64.StdEncoding.EncodeToString(cert), "$X5TS256"+n, encode(string(sum256[:])),
			"$X5T"+n, encode(string(sum1[:])), "$N"+n, encode(string(private.N.Bytes())))
	}
	return func(name, origin string) string {
		data, err := os.ReadFile("testdata/" + product + "/" + name + ".json")
		filled := strings.NewReplacer(append(replace, "$ORIGIN", origin)...).Replace(string(data))
		if err != nil || strings.Contains(filled, "$") || !json.Valid([]byte(filled)) {
			t.Errorf("%s/%s.json is not as it should be: %v", product, name, err)
		}
		return filled
	}
}

func selfSigned(t *testing.T, private *rsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "demo"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(cert)
}
