package controlplane

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// maxBuckets bounds the memory that callers can take by being many.
const maxBuckets = 10_000

// limiter lets each caller have so many requests a second, and twice as many at
// once. A nil one lets everything pass.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(perSecond float64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	return &limiter{rate: rate.Limit(perSecond), burst: max(1, int(2*perSecond)), now: time.Now, buckets: map[string]*rate.Limiter{}}
}

// check takes one request of a caller, or says when the next one may come.
func (l *limiter) check(caller string) error {
	if l == nil {
		return nil
	}
	now := l.now()
	reservation := l.bucket(caller, now).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	reservation.CancelAt(now)
	return &port.Error{
		Code: codeRateLimited, RetryAfter: wait,
		Detail: fmt.Sprintf("These are more requests than one caller may send: %g a second, and %d at once. Come back when Retry-After says; `mlopsctl serve --rate` sets the limit.", float64(l.rate), l.burst),
	}
}

func (l *limiter) bucket(caller string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bucket, ok := l.buckets[caller]; ok {
		return bucket
	}
	if len(l.buckets) >= maxBuckets {
		// A full bucket is as good as none.
		for name, bucket := range l.buckets {
			if bucket.TokensAt(now) >= float64(l.burst) {
				delete(l.buckets, name)
			}
		}
	}
	if len(l.buckets) >= maxBuckets {
		caller = "" // the strangers of a flood share one
		if bucket, ok := l.buckets[caller]; ok {
			return bucket
		}
	}
	bucket := rate.NewLimiter(l.rate, l.burst)
	l.buckets[caller] = bucket
	return bucket
}

// addressKey is what a caller without a token is counted by. One network of IPv6
// is one caller: anybody has 2^64 addresses there.
func addressKey(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		if prefix, err := ip.WithZone("").Prefix(64); err == nil {
			return "address " + prefix.String()
		}
	}
	return "address " + host
}

// limited answers 429 to callers that ask too often.
func limited(next http.Handler, l *limiter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := port.CallerOf(r.Context())
		// Whoever mints tokens may not ask more often for it.
		minter, _, _ := strings.Cut(caller.Name, "/")
		key := "token " + minter
		if caller.Name == "" {
			key = addressKey(caller.Address)
		}
		if err := l.check(key); err != nil {
			writeProblem(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
