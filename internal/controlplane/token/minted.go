package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// A minted token works for a short time, and only as long as the token that it was
// minted with.
const (
	// MinTTL, DefaultTTL and MaxTTL are how long it works unless it is renewed.
	MinTTL, DefaultTTL, MaxTTL = time.Minute, 15 * time.Minute, 24 * time.Hour
	// MaxLife is how long it works at most, renewals included.
	MaxLife = 24 * time.Hour

	saltOfMinted = 32
)

// Salt makes the random part of a minted token.
func Salt() []byte {
	salt := make([]byte, saltOfMinted)
	_, _ = rand.Read(salt)
	return salt
}

// Mint makes a token of the token that it is minted with and a salt. Only who has both
// can make it: the store has the salt, and the caller the token. So a request that is
// repeated is answered with the same token, although nobody keeps it.
func Mint(minter string, salt []byte) string {
	return secretPrefix + hex.EncodeToString(hash(salt, "minted with "+minter))
}

// Digest is what a store keeps of a minted token. It needs no salt of its own: all
// tokens are different, and none can be guessed.
func Digest(secret string) []byte {
	digest := sha256.Sum256([]byte(secret))
	return digest[:]
}

// SameDigest compares without saying, by its time, how close it was.
func SameDigest(a, b []byte) bool { return hmac.Equal(a, b) }

// MayBeMinted reports whether a text has the form of a minted token, so that no store
// is asked for what cannot be one.
func MayBeMinted(secret string) bool {
	digits, ok := strings.CutPrefix(secret, secretPrefix)
	return ok && len(digits) == hex.EncodedLen(sha256.Size) && strings.Trim(digits, "0123456789abcdef") == ""
}
