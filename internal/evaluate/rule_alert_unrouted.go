package evaluate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var unrouted = Rule{
	ID: "alert/unrouted", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "The alert reaches no channel",
	Across: func(b *bundle) map[int]Verdict {
		out := map[int]Verdict{}
		if len(b.channels) == 0 {
			// Channels are somebody else's business here.
			return out
		}
		r := routesOf(b.channels)
		for _, a := range b.alerts {
			out[a.index] = r.judge(a)
		}
		return out
	},
}

// routes is where alerts can go.
type routes struct {
	channels []memberOf[spec.NotificationChannel]
	names    []string
	takes    map[string]bool // severities
	complete bool            // nothing about the channels is unknown
}

func routesOf(channels []memberOf[spec.NotificationChannel]) routes {
	r := routes{channels: channels, takes: map[string]bool{}, complete: true}
	for _, c := range channels {
		name, ok := c.declared.Name.Get()
		r.complete = r.complete && ok
		r.names = append(r.names, name)
		severities, ok := texts(c.declared.Severities)
		r.complete = r.complete && ok
		for _, s := range severities {
			r.takes[s] = true
		}
	}
	return r
}

// texts reads a list of strings, those that are known; false where there may be more.
func texts(list spec.Value[[]spec.Value[string]]) ([]string, bool) {
	elements, _ := list.Get()
	complete := !list.IsUnknown()
	var out []string
	for _, element := range elements {
		text, ok := element.Get()
		if !ok {
			complete = false
			continue
		}
		out = append(out, text)
	}
	return out, complete
}

func (r routes) judge(a memberOf[spec.AlertThreshold]) Verdict {
	named, complete := texts(a.declared.Channels)
	if !complete {
		return later
	}
	if len(named) > 0 {
		return r.judgeNamed(a, named)
	}
	severity, ok := a.declared.Severity.Get()
	switch {
	case ok && r.takes[severity]:
		return pass
	case !ok || !r.complete:
		return later
	}
	first := r.channels[0]
	taken, _ := texts(first.declared.Severities)
	return found(spec.Finding{
		Path: a.declared.Severity.Path(),
		Detail: fmt.Sprintf("The alert has the severity %q and names no channel, and no notification channel takes that severity (%s): it fires, and nobody hears of it.",
			severity, r.describe()),
		Fix: fmt.Sprintf("Add %q to the severities of the channel that is meant, for instance %s; or name a channel here, for instance channels = [%q].", severity, first.Address, r.names[0]),
		Alternatives: []spec.Change{
			{Address: first.Address, Assign: map[string]cty.Value{"severities": stringsValue(append(slices.Clone(taken), severity))}},
			change(map[string]cty.Value{"channels": stringsValue([]string{r.names[0]})}),
		},
	})
}

// judgeNamed is for alerts that name their channels: each must be there.
func (r routes) judgeNamed(a memberOf[spec.AlertThreshold], named []string) Verdict {
	verdict := pass
	elements, _ := a.declared.Channels.Get()
	for i, name := range named {
		switch {
		case slices.Contains(r.names, name):
			continue
		case !r.complete:
			return later
		}
		nearest := slices.MinFunc(r.names, func(x, y string) int {
			return levenshtein.Distance(name, x, nil) - levenshtein.Distance(name, y, nil)
		})
		corrected := slices.Clone(named)
		if corrected[i] = nearest; slices.Contains(named, nearest) {
			corrected = slices.Delete(corrected, i, i+1)
		}
		verdict.Findings = append(verdict.Findings, spec.Finding{
			Path:         elements[i].Path(),
			Detail:       fmt.Sprintf("The alert goes to the channel %q, and there is none of that name (%s): nobody hears of it there.", name, r.describe()),
			Fix:          fmt.Sprintf("Name the channel %q, or declare one that is called %q. A reference, such as %s.name, cannot be misspelt.", nearest, name, r.channels[slices.Index(r.names, nearest)].Address),
			Alternatives: []spec.Change{change(map[string]cty.Value{"channels": stringsValue(corrected)})},
		})
	}
	return verdict
}

// describe lists the channels and what they take.
func (r routes) describe() string {
	out := make([]string, len(r.channels))
	for i, c := range r.channels {
		severities, _ := texts(c.declared.Severities)
		out[i] = fmt.Sprintf("%q takes %s", r.names[i], strings.Join(severities, ", "))
	}
	return strings.Join(out, "; ")
}
