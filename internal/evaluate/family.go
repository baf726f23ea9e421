package evaluate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// FamilyAlert is one alert of a family: how often it fires in 30 days on no drift.
// The figures are those of its evaluation.
type FamilyAlert struct {
	// Name is how messages call it.
	Name string
	// Month is false_alarms_per_30d; Low and High are the same with a lucky and an
	// unlucky baseline.
	Month, Low, High float64
}

// Family is what the alerts of a model come to together in 30 days.
//
// The expected numbers of false alarms add up, however the alerts depend on each other.
// The range is that of monitors that share their baseline's luck: all lucky to all
// unlucky. With a baseline each, luck evens out, and the truth lies within.
type Family struct {
	Total, Low, High float64
}

// NewFamily adds alerts up. What it gives is rounded up to three significant digits.
func NewFamily(alerts []FamilyAlert) Family {
	var f Family
	for _, a := range alerts {
		f.Total += a.Month
		f.Low += a.Low
		f.High += a.High
	}
	f.Total, f.Low, f.High = roundUp(f.Total), roundUp(f.Low), roundUp(f.High)
	return f
}

// Within reports whether the family keeps a budget of false alarms in 30 days.
func (f Family) Within(budget float64) bool { return f.Total <= budget }

// Shares divides a budget: what each alert may raise so that together they keep it.
// An alert that raises less than its even share keeps what it raises, and what it leaves is
// divided among the others, so that as few alerts as possible have to change.
func Shares(alerts []FamilyAlert, budget float64) []float64 {
	budget = stats.RoundDownSignificant(budget, digits)
	order := make([]int, len(alerts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case alerts[i].Month < alerts[j].Month:
			return -1
		case alerts[i].Month > alerts[j].Month:
			return 1
		}
		return 0
	})
	shares := make([]float64, len(alerts))
	left := budget
	for place, i := range order {
		even := stats.RoundDownSignificant(left/float64(len(order)-place), digits)
		shares[i] = min(alerts[i].Month, even)
		if alerts[i].Month > even {
			// So have all that follow.
			for _, j := range order[place:] {
				shares[j] = even
			}
			break
		}
		left -= alerts[i].Month
	}
	return shares
}

// Review adds up alerts of which nothing but their figures is known, and holds them
// against a budget of false alarms in 30 days: the finding of drift/family-wise, where
// there is one.
func Review(alerts []FamilyAlert, budget float64) (Family, []spec.Finding) {
	family := NewFamily(alerts)
	if family.Within(budget) {
		return family, nil
	}
	finding := family.finding(alerts, budget)
	finding.Rule, finding.Summary, finding.Severity = familyWise.ID, familyWise.Summary, familyWise.Severity
	var ways []string
	for i, share := range Shares(alerts, budget) {
		if share < alerts[i].Month {
			ways = append(ways, fmt.Sprintf("%s %s", alerts[i].Name, show(share)))
		}
	}
	finding.Fix = "Divide the budget among the alerts, as their own false_alarms_per_30d: " + strings.Join(ways, ", ") +
		". The evaluation of each then has the smallest_value that keeps it."
	return family, []spec.Finding{finding}
}

// finding says what the family comes to; what to do is the caller's to add.
func (f Family) finding(alerts []FamilyAlert, budget float64) spec.Finding {
	parts := make([]string, len(alerts))
	for i, a := range alerts {
		parts[i] = fmt.Sprintf("%s %s", a.Name, show(a.Month))
	}
	n := float64(len(alerts))
	return spec.Finding{
		Detail: fmt.Sprintf("%s %s to %s in 30 days (from %s where all baselines are lucky ones to %s where none is), and false_alarms_per_30d of the model accepts %s. The expected numbers add up whatever the alerts have in common: %s. Independent observations are assumed: correlated ones fire more often.",
			plural(n, "alert", "alerts"), plural2(n, "comes", "together come"), plural(f.Total, "false alarm", "false alarms"), show(f.Low), show(f.High), show(budget), strings.Join(parts, ", ")),
	}
}

func roundUp(x float64) float64 {
	if x < stats.NegligibleProbability {
		return 0
	}
	return stats.RoundUpSignificant(x, digits)
}
