package auth

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// base64url is unpadded and refuses stray bits after the last byte. It still skips CR and LF.
var base64url = base64.RawURLEncoding.Strict()

// jwsToken is a JWS in compact form, taken apart. Its payload is believed only after verify.
type jwsToken struct {
	alg       jwa.SignatureAlgorithm
	signed    []byte // header and payload as they came: what the signature is of
	payload   []byte
	signature []byte
}

// parseToken refuses a token that is not in compact form, or whose header asks for something
// that is not on offer.
func parseToken(token string, algorithms []string) (*jwsToken, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return nil, errShape
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64url.DecodeString(part); err != nil {
			return nil, errShape
		}
	}
	header, err := decodeObject(decoded[0])
	if err != nil {
		return nil, err
	}
	alg, err := checkHeader(header, algorithms)
	if err != nil {
		return nil, err
	}
	return &jwsToken{
		alg:       alg,
		signed:    []byte(token[:strings.LastIndexByte(token, '.')]),
		payload:   decoded[1],
		signature: decoded[2],
	}, nil
}

// checkHeader returns the algorithm. What it does not look at is ignored, above all the keys
// that a header can bring along or point to.
func checkHeader(header claims, algorithms []string) (jwa.SignatureAlgorithm, error) {
	// RFC 7515, 4.1.11: an extension that is not understood must be refused. RFC 7797, 7:
	// a JWT never has b64, which changes what is signed.
	if header.has("crit") || header.has("b64") {
		return jwa.EmptySignatureAlgorithm(), errCritical
	}
	if header.has("typ") && !validType(header["typ"]) {
		return jwa.EmptySignatureAlgorithm(), errType
	}
	name, _ := header["alg"].(string)
	alg, known := jwa.LookupSignatureAlgorithm(name)
	if !known || !slices.Contains(algorithms, name) {
		return jwa.EmptySignatureAlgorithm(), errAlgorithm
	}
	return alg, nil
}

// validType keeps out tokens made for another purpose, such as logout+jwt (RFC 8725, 3.11).
func validType(typ any) bool {
	s, ok := typ.(string)
	if !ok {
		return false
	}
	// RFC 7515, 4.1.9: a media type, in any case, "application/" left out.
	s = strings.TrimPrefix(strings.ToLower(s), "application/")
	return s == "jwt" || s == "at+jwt"
}

// verify tries each key that source has for the token.
//
// It is not done by jws.Verify, which decodes the token, any kind of base64, and verifies what
// it encodes anew: a token so verified can be spelled in many ways. This is the verifier that
// jws.Verify calls, given the bytes as they came.
func (t *jwsToken) verify(ctx context.Context, source keySource) error {
	keys, err := source.candidates(ctx, t.alg)
	if err != nil {
		return err
	}
	verifier, err := jws.VerifierFor(t.alg)
	if err != nil {
		return errAlgorithm
	}
	for _, key := range keys {
		if verifier.Verify(key, t.signed, t.signature) == nil {
			return nil
		}
	}
	return errSignature
}
