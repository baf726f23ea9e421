package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var seasonalWindow = Rule{
	ID: "drift/seasonal-window", Severity: spec.Warning, Kind: "drift_monitor",
	Summary: "The window cuts the season",
	Check: judge(func(s monitorSubject) Verdict {
		w := s.declared.Window.Fields()
		season, declared := w.Season.Get()
		duration, known := w.Duration.Get()
		switch {
		case w.Season.IsNull():
			return pass
		case !declared || !known || w.Samples.IsUnknown() || w.RequestsPerSecond.IsUnknown():
			return later
		case season <= 0 || duration%season == 0:
			return pass
		}
		longer := spec.DurationFromSeconds(math.Ceil(duration.Seconds()/season.Seconds()) * season.Seconds())
		assign := map[string]cty.Value{"window.duration": cty.StringVal(longer.String())}
		fix := fmt.Sprintf("Lengthen window.duration to %q", longer)
		if samples, ok := w.Samples.Get(); ok {
			more := min(floor(samples*longer.Seconds()/duration.Seconds()), maximumCount)
			assign["window.samples"] = spec.Number(more)
			fix += fmt.Sprintf(", which collects %s samples at the same traffic", show(more))
		}
		at := fmt.Sprintf("%s of it", show(round(duration.Seconds()/season.Seconds())))
		if duration < season {
			at = "only a part of it"
		}
		return found(spec.Finding{
			Path: w.Duration.Path(),
			Detail: fmt.Sprintf("The traffic repeats itself every %s, and a window of %s sees %s. Two windows then differ because they begin at different times, and none is like a baseline of whole seasons, so that the metric is high without any drift: no figure here counts that.",
				season, duration, at),
			Fix:          fix + ". Or remove window.season, where the pattern does not touch this feature.",
			Alternatives: []spec.Change{change(assign)},
		})
	}),
}
