package evaluate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Member is one object of a bundle, computed attributes filled in. Where the value as a
// whole is unknown, the object exists, and may be anything of its kind.
type Member struct {
	// Address is how the surface calls the object.
	Address string
	Kind    *spec.Kind
	Value   cty.Value
}

// Bundle judges what only several objects together can show: it returns for each
// member what the rules over many objects say about it. Their findings stand on the
// member where the fix goes, and have its address.
//
// Members with the same name path are one object that is declared in several places
// (a spec file and a Terraform file, two environments): the first is judged, and counts.
//
// An unknown value silences a rule where it could matter. A surface that sees one
// object at a time, as Terraform's provider does, cannot ask.
func Bundle(members []Member) ([]Verdicts, error) {
	b, err := newBundle(members)
	if err != nil {
		return nil, err
	}
	out := make([]Verdicts, len(members))
	for _, rule := range registry {
		if rule.Across == nil {
			continue
		}
		for i, verdict := range rule.Across(b) {
			if out[i].add(rule, verdict); verdict.err != nil {
				return nil, fmt.Errorf("%s on %s: %w", rule.ID, members[i].Address, verdict.err)
			}
		}
	}
	for i := range out {
		for j := range out[i].Findings {
			out[i].Findings[j].Address = members[i].Address
		}
	}
	return out, nil
}

// Verdicts are what several rules say about one object.
type Verdicts struct {
	// Findings are in the order of the registry.
	Findings []spec.Finding
	// Judged lists the rules that ran on known input, in the same order.
	Judged []string
}

// add takes a rule's verdict, and completes its findings.
func (v *Verdicts) add(rule Rule, verdict Verdict) {
	if !verdict.Judged {
		return
	}
	v.Judged = append(v.Judged, rule.ID)
	for _, finding := range verdict.Findings {
		finding.Rule, finding.Summary = rule.ID, rule.Summary
		if finding.Severity == "" {
			finding.Severity = rule.Severity
		}
		v.Findings = append(v.Findings, finding)
	}
}

// bundle is what the rules over many objects are given: the members of each kind that
// takes part, decoded, in the order of their name paths, so that a plan, which has an
// order of its own, is judged like the files it was made from.
type bundle struct {
	models   []memberOf[spec.RegisteredModel]
	monitors []memberOf[spec.DriftMonitor]
	alerts   []memberOf[spec.AlertThreshold]
	channels []memberOf[spec.NotificationChannel]
}

// memberOf is a member with its place among all.
type memberOf[T any] struct {
	Member
	index    int
	name     string // its name path, as far as it is known
	declared T
}

func newBundle(members []Member) (*bundle, error) {
	b := &bundle{}
	seen := map[string]bool{}
	for i, m := range members {
		if id, ok := nameOf(m); ok {
			if seen[m.Kind.Name+" "+id] {
				continue
			}
			seen[m.Kind.Name+" "+id] = true
		}
		var err error
		switch m.Kind.Name {
		case "registered_model":
			err = join(&b.models, i, m)
		case "drift_monitor":
			err = join(&b.monitors, i, m)
		case "alert_threshold":
			err = join(&b.alerts, i, m)
		case "notification_channel":
			err = join(&b.channels, i, m)
		}
		if err != nil {
			return nil, fmt.Errorf("judging %s among others: %w", m.Address, err)
		}
	}
	sortByName(b.models)
	sortByName(b.monitors)
	sortByName(b.alerts)
	sortByName(b.channels)
	return b, nil
}

func sortByName[T any](members []memberOf[T]) {
	slices.SortStableFunc(members, func(x, y memberOf[T]) int { return cmp.Compare(x.name, y.name) })
}

func nameOf(m Member) (string, bool) {
	if !m.Value.IsKnown() || m.Value.IsNull() {
		return "", false
	}
	return m.Kind.ID(m.Value)
}

func join[T any](to *[]memberOf[T], index int, m Member) error {
	declared, err := spec.Decode[T](m.Value)
	name, _ := nameOf(m)
	*to = append(*to, memberOf[T]{m, index, name, declared})
	return err
}
