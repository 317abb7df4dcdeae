package auth

import (
	"encoding/base64"
	"strings"
)

// base64url is unpadded and refuses stray bits after the last byte. It still skips CR and LF.
var base64url = base64.RawURLEncoding.Strict()

// jwsToken is a JWS in compact form, taken apart. Its payload is believed only after verify.
type jwsToken struct {
	header    claims
	payload   claims
	signed    []byte // header and payload as they came: what the signature is of
	signature []byte
}

// parseToken refuses a token that is not in compact form, of JSON objects.
func parseToken(token string) (jwsToken, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return jwsToken{}, errShape
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64url.DecodeString(part); err != nil {
			return jwsToken{}, errShape
		}
	}
	header, err := decodeObject(decoded[0])
	if err != nil {
		return jwsToken{}, err
	}
	payload, err := decodeObject(decoded[1])
	if err != nil {
		return jwsToken{}, err
	}
	return jwsToken{
		header:    header,
		payload:   payload,
		signed:    []byte(token[:strings.LastIndexByte(token, '.')]),
		signature: decoded[2],
	}, nil
}

// checkHeader refuses what changes a token's meaning. What it does not look at, and is not alg
// or kid, is ignored, above all the keys that a header can bring along or point to.
func checkHeader(header claims) error {
	// RFC 7515, 4.1.11: an extension that is not understood must be refused. RFC 7797, 7:
	// a JWT never has b64, which changes what is signed.
	if header.has("crit") || header.has("b64") {
		return errCritical
	}
	if header.has("typ") && !validType(header["typ"]) {
		return errType
	}
	return nil
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

// kid returns the name of the key (RFC 7515, 4.1.4), and whether there is one.
func (c claims) kid() (name string, ok bool, err error) {
	v, ok := c["kid"]
	if !ok {
		return "", false, nil
	}
	if name, ok = v.(string); !ok {
		return "", false, errKid
	}
	return name, true, nil
}

// verify reports whether key, one that fits alg, made the signature.
//
// It is not done by jws.Verify, which decodes the token, any kind of base64, and verifies what
// it encodes anew: a token so verified can be spelled in many ways. This is the verifier that
// jws.Verify calls, given the bytes as they came.
func (t *jwsToken) verify(alg *algorithm, key any) bool {
	return alg.verifier.Verify(key, t.signed, t.signature) == nil
}
