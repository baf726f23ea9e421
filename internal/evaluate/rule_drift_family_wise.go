package evaluate

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var familyWise = Rule{
	ID: "drift/family-wise", Severity: spec.Warning, Kind: "registered_model",
	Summary: "All alerts of the model together fire on noise too often",
	Across: func(b *bundle) map[int]Verdict {
		out := map[int]Verdict{}
		for _, m := range b.models {
			out[m.index] = judgeFamily(m, b.alerts)
		}
		return out
	},
}

func judgeFamily(m memberOf[spec.RegisteredModel], all []memberOf[spec.AlertThreshold]) Verdict {
	budget, limited := m.declared.FalseAlarmsPer30d.Get()
	name, named := m.declared.Name.Get()
	switch {
	case m.declared.FalseAlarmsPer30d.IsNull():
		return pass
	case !limited || !named:
		return later
	}
	var members []memberOf[spec.AlertThreshold]
	var alerts []FamilyAlert
	for _, a := range all {
		model, ok := a.declared.Model.Get()
		if ok && model != name {
			continue
		}
		e := a.declared.Evaluation.Fields()
		if !ok || spec.AnyUnknown(a.declared.Severity, a.declared.Evaluation, e.FalseAlarmsPer30d, e.FalseAlarmsPer30dLow, e.FalseAlarmsPer30dHigh) {
			return later
		}
		// What only informs has no budget, here as elsewhere; and where there is no
		// figure, another rule says why.
		if month, ok := e.FalseAlarmsPer30d.Get(); ok && a.declared.Severity.Or("") != SeverityInfo {
			members = append(members, a)
			alerts = append(alerts, FamilyAlert{Name: a.Address, Month: month, Low: e.FalseAlarmsPer30dLow.Or(month), High: e.FalseAlarmsPer30dHigh.Or(month)})
		}
	}
	family := NewFamily(alerts)
	if family.Within(budget) {
		return pass
	}
	finding := family.finding(alerts, budget)
	finding.Path = m.declared.FalseAlarmsPer30d.Path()
	var err error
	finding.Fix, finding.Alternatives, err = quieterFamily(members, alerts, budget)
	return Verdict{Judged: true, err: err, Findings: []spec.Finding{finding}}
}

// quieterFamily finds values at which each alert keeps its share of the budget.
func quieterFamily(members []memberOf[spec.AlertThreshold], alerts []FamilyAlert, budget float64) (string, []spec.Change, error) {
	var ways, deaf []string
	var changes []spec.Change
	for i, share := range Shares(alerts, budget) {
		if alerts[i].Month <= share {
			continue
		}
		value, err := valueFor(members[i].declared, share)
		switch {
		case err != nil:
			return "", nil, err
		case !exists(value):
			deaf = append(deaf, alerts[i].Name)
			continue
		}
		ways = append(ways, fmt.Sprintf("%s: value = %s, false_alarms_per_30d = %s", alerts[i].Name, show(value), show(share)))
		changes = append(changes, spec.Change{Address: members[i].Address, Assign: map[string]cty.Value{
			"value": spec.Number(value), "false_alarms_per_30d": spec.Number(share),
		}})
	}
	if len(deaf) > 0 {
		return fmt.Sprintf("At no value does %s keep an even share: remove it, or give its monitor a longer window or, for data drift, a larger baseline.", strings.Join(deaf, ", ")), nil, nil
	}
	changes[0].With = changes[1:]
	return "Divide the budget among the alerts, and set values that keep it: " + strings.Join(ways, "; ") + ". Longer windows help as well, and so do fewer monitors.", changes[:1], nil
}

// valueFor is the tightest value at which an alert keeps a budget, by
// the law of its kind of signal; none where there is none.
func valueFor(declared spec.AlertThreshold, budget float64) (float64, error) {
	if kind, ok := declared.Signal.Fields().Kind.Get(); ok && kind != spec.SignalDataDrift {
		a, known := estimateAlarmOf(declared)
		if !known {
			return none, nil
		}
		law, err := a.estimate.at(a.estimate.effective, a.estimate.baseline)
		if err != nil {
			return none, err
		}
		return a.valueWithin(law, budget)
	}
	a, known := alarmOf(declared)
	if !known {
		return none, nil
	}
	a.budget, a.ownBudget = budget, true
	law, err := newLaws(a.sampling).at(a.effective)
	if err != nil {
		return none, err
	}
	return a.smallestValue(law)
}
