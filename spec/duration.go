package spec

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
)

// Duration is a span of time as policies and Prometheus write it: "90s", "1h30m",
// "7d", "2w". A day has 24 hours.
type Duration time.Duration

// ParseDuration reads a duration such as "1h30m" or "7d".
func ParseDuration(text string) (Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return Duration(d), nil
}

// Seconds is the length in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

// String writes the duration so that ParseDuration reads it back.
func (d Duration) String() string { return model.Duration(d).String() }

// DurationFromSeconds is the shortest duration of whole seconds that lasts at
// least so many seconds.
func DurationFromSeconds(seconds float64) Duration {
	return Duration(time.Duration(math.Ceil(seconds-1e-9)) * time.Second)
}
