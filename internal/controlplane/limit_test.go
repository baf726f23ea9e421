package controlplane

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

func TestALimitIsARateAndABurst(t *testing.T) {
	now := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	l := newLimiter(10)
	l.now = func() time.Time { return now }
	passed := func(caller string, n int) int {
		count := 0
		for range n {
			if l.check(caller) == nil {
				count++
			}
		}
		return count
	}
	if got := passed("a", 100); got != 20 {
		t.Errorf("%d at once, want 20", got)
	}
	err, ok := errors.AsType[*port.Error](l.check("a"))
	if !ok || err.RetryAfter != 100*time.Millisecond {
		t.Errorf("come back after %v, want 100ms", err)
	}
	now = now.Add(time.Second)
	if got := passed("a", 100); got != 10 {
		t.Errorf("%d after a second, want 10", got)
	}
	if got := passed("b", 100); got != 20 {
		t.Errorf("%d of another caller, want 20", got)
	}
}

func TestCallersThatAreManyTakeBoundedMemory(t *testing.T) {
	now := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	l := newLimiter(10)
	l.now = func() time.Time { return now }
	for i := range 3 * maxBuckets {
		_ = l.check(fmt.Sprint(i))
	}
	if len(l.buckets) > maxBuckets+1 {
		t.Errorf("%d buckets", len(l.buckets))
	}
	if l.check("one more stranger") == nil {
		t.Error("strangers of a flood do not share a bucket")
	}
	// Those who have been quiet are forgotten.
	now = now.Add(time.Minute)
	if err := l.check("a newcomer"); err != nil || len(l.buckets) > 2 {
		t.Errorf("%v, %d buckets", err, len(l.buckets))
	}
}

func TestANetworkOfIPv6IsOneCaller(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth0", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"in-process", "in-process", true},
	} {
		if got := addressKey(tt.a) == addressKey(tt.b); got != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}
