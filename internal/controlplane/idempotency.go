package controlplane

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// maxKeyLength bounds an idempotency key, in bytes; a UUID has 36.
const maxKeyLength = 255

// requestKey is the Idempotency-Key of a request, still without its body.
type requestKey struct{ key, head string }

// idempotencyKey reads the header Idempotency-Key, which a request that writes
// may have (draft-ietf-httpapi-idempotency-key-header). Use it so, with the bytes
// that the write depends on:
//
//	key, err := idempotencyKey(r)
//	...
//	service.Write(..., key.of(body))
func idempotencyKey(r *http.Request) (requestKey, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return requestKey{}, nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxKeyLength || !isVisible(key) {
		return requestKey{}, invalid("Idempotency-Key is one key of 1 to %d visible ASCII characters, for instance a UUID that was made for this request.", maxKeyLength)
	}
	// All that says what is asked for, and by whom: the same key with anything else is
	// a mistake of the caller's.
	return requestKey{key: key, head: fmt.Sprintf("%s\n%s %s?%s\n%q\n%q\n", port.CallerOf(r.Context()).Name, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Values("If-Match"), r.Header.Values("If-None-Match"))}, nil
}

func (k requestKey) of(body []byte) port.Once {
	if k.key == "" {
		return port.Once{}
	}
	digest := sha256.New()
	digest.Write([]byte(k.head))
	digest.Write(body)
	return port.Once{Key: k.key, Request: hex.EncodeToString(digest.Sum(nil))}
}

// isVisible reports whether a text has nothing but visible ASCII characters.
func isVisible(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < '!' || c > '~' })
}
