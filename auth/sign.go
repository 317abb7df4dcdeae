package auth

import (
	"encoding/json"
	"fmt"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// Sign returns a token with claims, signed with HS256. The secret needs at least 32 bytes.
func Sign(secret []byte, claims map[string]any) (string, error) {
	if len(secret) < minSecret {
		return "", fmt.Errorf("secret has %d bytes: use at least %d random ones", len(secret), minSecret)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.TypeKey, "JWT"); err != nil {
		return "", fmt.Errorf("setting typ: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256(), secret, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	if len(token) > maxToken {
		return "", errTooLong
	}
	return string(token), nil
}
