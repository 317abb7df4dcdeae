package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	minRSA = 2048 // bits (RFC 7518, 3.3)
	maxRSA = 8192 // bits: a longer one makes each token dear to verify
)

// errNotForUs is the error of keys that are well and good, but do not verify tokens: of another
// use, type, curve or algorithm. Key sets have these; nobody needs to hear of it.
var errNotForUs = errors.New("is not for verifying tokens")

// A publicKey is one of a key set, and what may be done with it.
type publicKey struct {
	key
	alg     string // the only algorithm that it may be used with; "": each that it fits
	exposed bool   // its private part was published beside it
}

// parseKey reads a JWK (RFC 7517, 4). It is strict: what it cannot make sense of is no key. The
// error says why, in words that go after "key 3".
func parseKey(data []byte) (publicKey, error) {
	members, err := decodeObject(data)
	if err != nil {
		return publicKey{}, errors.New("is no JSON object, or has a member twice")
	}
	if err := checkUse(members); err != nil {
		return publicKey{}, err
	}
	var k publicKey
	if k.kid, k.named, err = members.kid(); err != nil {
		return publicKey{}, errors.New("has a kid that is not a string")
	}
	if k.material, err = parseMaterial(members); err != nil {
		return publicKey{}, err
	}
	if members.has("alg") {
		k.alg, _ = members["alg"].(string)
		alg := algorithms[k.alg]
		if alg == nil {
			return publicKey{}, errNotForUs // such as RSA-OAEP
		}
		if alg.fits == nil || !alg.fits(k.material) {
			return publicKey{}, errors.New("has an alg that is not for its kty and crv")
		}
	}
	k.exposed = members.has("d")
	k.name = k.describe()
	return k, nil
}

// checkUse refuses keys that are not for signatures (RFC 7517, 4.2 and 4.3).
func checkUse(members claims) error {
	if use, ok := members["use"]; ok && use != "sig" {
		return errNotForUs
	}
	if members.has("key_ops") {
		ops, _ := members["key_ops"].([]any)
		if !slices.Contains(ops, any("verify")) {
			return errNotForUs
		}
	}
	return nil
}

// parseMaterial reads the key proper (RFC 7518, 6; RFC 8037, 2).
func parseMaterial(members claims) (any, error) {
	switch members["kty"] {
	case "RSA":
		return parseRSA(members)
	case "EC":
		switch members["crv"] {
		case "P-256":
			return parseEC(members, elliptic.P256())
		case "P-384":
			return parseEC(members, elliptic.P384())
		case "P-521":
			return parseEC(members, elliptic.P521())
		}
	case "OKP":
		if members["crv"] == "Ed25519" {
			return parseEd25519(members)
		}
	case "oct":
		return nil, errors.New("is a secret, and is published: it is not used, and what it protects is open to all")
	}
	return nil, errNotForUs
}

func parseRSA(members claims) (any, error) {
	n, errN := members.bytes("n")
	e, errE := members.bytes("e")
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("is an RSA key of %d bits: %d to %d are accepted", bits, minRSA, maxRSA)
	}
	// crypto/rsa takes exponents below 2^31.
	if modulus.Bit(0) == 0 || exponent.Bit(0) == 0 || exponent.BitLen() < 2 || exponent.BitLen() > 31 {
		return nil, errors.New("is no RSA key: its modulus is even, or its exponent is even, 1 or too large")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func parseEC(members claims, curve elliptic.Curve) (any, error) {
	x, errX := members.bytes("x")
	y, errY := members.bytes("y")
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size { // RFC 7518, 6.2.1.2
		return nil, fmt.Errorf("has coordinates that are not of %d bytes", size)
	}
	point := slices.Concat([]byte{4}, x, y) // uncompressed (SEC 1, 2.3.3)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errors.New("is a point off its curve")
	}
	return public, nil
}

func parseEd25519(members claims) (any, error) {
	x, err := members.bytes("x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("has an x that is not of %d bytes", ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}

// bytes returns the member name, which must be in base64url.
func (c claims) bytes(name string) ([]byte, error) {
	s, _ := c[name].(string)
	b, err := base64url.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("has no %s in unpadded base64url", name)
	}
	return b, nil
}

// describe names k by its kid and thumbprint (RFC 7638), which is the same whatever it is called.
func (k *publicKey) describe() string {
	kid := "without kid"
	if k.named {
		kid = "kid " + quote(k.kid)
	}
	imported, err := jwk.Import(k.material)
	if err != nil {
		return kid
	}
	sum, err := imported.Thumbprint(crypto.SHA256)
	if err != nil {
		return kid
	}
	return kid + ", thumbprint " + base64.RawURLEncoding.EncodeToString(sum)
}

// quote makes a stranger's string fit for one line of a terminal or a log.
func quote(s string) string { return fmt.Sprintf("%.256q", s) }
