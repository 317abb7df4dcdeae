package auth

// A Reason says in one word why a token was refused. It is also a metric's label: malformed,
// too_long, algorithm, unknown_key, signature, expired, not_yet_valid, issuer, audience, no_expiry,
// critical_header, claims or revoked.
type Reason string

const (
	reasonMalformed   Reason = "malformed"       // not the one spelling of a JWT
	reasonTooLong     Reason = "too_long"        // more than 8192 bytes
	reasonAlgorithm   Reason = "algorithm"       // alg is not allowed, or no secret is long enough for it
	reasonUnknownKey  Reason = "unknown_key"     // the issuer publishes no such key, or does not tell it from others
	reasonSignature   Reason = "signature"       // no key verifies it
	reasonExpired     Reason = "expired"         // exp has passed
	reasonNotYetValid Reason = "not_yet_valid"   // nbf is still to come
	reasonIssuer      Reason = "issuer"          // iss is another
	reasonAudience    Reason = "audience"        // aud is somebody else
	reasonNoExpiry    Reason = "no_expiry"       // there is no exp
	reasonCritical    Reason = "critical_header" // it asks for an extension: crit, b64
	reasonClaims      Reason = "claims"          // a claim has the wrong type or size
	reasonRevoked     Reason = "revoked"         // its jti or sub is revoked
)

// An Error says why a token was refused. Its text is for the developer who made the token. It
// holds nothing of the token, its claims or a secret, and has at most 120 bytes: fit for a log,
// and for the reason of a close frame (RFC 6455, 5.5.1).
type Error struct {
	Reason Reason
	text   string
}

func (e *Error) Error() string { return e.text }

// All refusals there are. They are constants in all but name: texts built from a token could leak it.
var (
	errTooLong = &Error{reasonTooLong, "token is longer than 8192 bytes: put fewer claims or rooms in it"}

	errShape     = &Error{reasonMalformed, "token is not three parts of unpadded base64url with dots between (RFC 7515 compact form)"}
	errJSON      = &Error{reasonMalformed, "token header or payload is not a JSON object in UTF-8"}
	errDuplicate = &Error{reasonMalformed, "token header or payload has an object with the same name twice"}
	errType      = &Error{reasonMalformed, "token typ is neither JWT nor at+jwt"}
	errKid       = &Error{reasonMalformed, "token kid is not a string"}
	errCritical  = &Error{reasonCritical, "token header has crit or b64: no extension is supported"}

	errAlgorithm   = &Error{reasonAlgorithm, "token alg is not one of the algorithms allowed for its issuer"}
	errShortSecret = &Error{reasonAlgorithm, "token alg needs a longer secret than any configured (RFC 7518, 3.2)"}
	errUnknownKey  = &Error{reasonUnknownKey, "token kid and alg fit no key of its issuer"}
	errNoKid       = &Error{reasonUnknownKey, "token has no kid, and its issuer has not exactly one key for its alg"}
	errTwoKeys     = &Error{reasonUnknownKey, "token kid names several keys of its issuer: each needs its own"}
	errSignature   = &Error{reasonSignature, "token signature does not match: signed with another key, or changed afterwards"}

	errExpired     = &Error{reasonExpired, "token has expired (exp)"}
	errNotYetValid = &Error{reasonNotYetValid, "token is not valid yet (nbf): compare the clocks"}
	errNoExpiry    = &Error{reasonNoExpiry, "token has no exp claim: every token needs one"}
	errIssuer      = &Error{reasonIssuer, "token iss is none of the configured issuers"}
	errAudience    = &Error{reasonAudience, "token aud names none of the configured audiences"}
	errRevoked     = &Error{reasonRevoked, "token is revoked, or its user is"}

	errExp     = &Error{reasonClaims, "token exp is not a number of seconds since 1970 (a string? milliseconds?)"}
	errNbf     = &Error{reasonClaims, "token nbf is not a number of seconds since 1970 (a string? milliseconds?)"}
	errSub     = &Error{reasonClaims, "token sub is not a string of at most 256 bytes without control characters"}
	errIss     = &Error{reasonClaims, "token iss is not a string of at most 256 bytes without control characters"}
	errJti     = &Error{reasonClaims, "token jti is not a string of at most 256 bytes without control characters"}
	errAud     = &Error{reasonClaims, "token aud is neither a string nor an array of strings"}
	errRooms   = &Error{reasonClaims, "token rooms claim is neither an array of strings nor one space-separated string"}
	errPublish = &Error{reasonClaims, "token publish claim is neither an array of strings nor one space-separated string"}
	errEntries = &Error{reasonClaims, "token rooms or publish claim has more than 1000 entries: use patterns"}
)
