package spec

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// RolloutPolicy says how a new version of a model reaches all traffic, and what
// must be shown on the way.
type RolloutPolicy struct {
	Model      Value[string]             `cty:"model"`
	Name       Value[string]             `cty:"name"`
	Risk       Value[string]             `cty:"risk"`
	Traffic    Value[Traffic]            `cty:"traffic"`
	Hypothesis Value[Hypothesis]         `cty:"hypothesis"`
	Stages     Value[[]Value[Stage]]     `cty:"stages"`
	Guardrails Value[[]Value[Guardrail]] `cty:"guardrails"`
	Rollback   Value[Rollback]           `cty:"rollback"`
	Waivers    Value[[]Value[Waiver]]    `cty:"waivers"`
	ID         Value[string]             `cty:"id"`
	UID        Value[string]             `cty:"uid"`
	Evaluation Value[RolloutEvaluation]  `cty:"evaluation"`
}

// Traffic is what the model serves.
type Traffic struct {
	RequestsPerSecond Value[float64] `cty:"requests_per_second"`
}

// Hypothesis is the claim that the deciding stage tests. MinimumDetectableEffect
// is signed: the treatment's rate or mean is the baseline plus it.
type Hypothesis struct {
	Metric                  Value[string]   `cty:"metric"`
	Kind                    Value[string]   `cty:"kind"`
	BaselineRate            Value[float64]  `cty:"baseline_rate"`
	StdDev                  Value[float64]  `cty:"std_dev"`
	MinimumDetectableEffect Value[float64]  `cty:"minimum_detectable_effect"`
	SignificanceLevel       Value[float64]  `cty:"significance_level"`
	Power                   Value[float64]  `cty:"power"`
	Alternative             Value[string]   `cty:"alternative"`
	Margin                  Value[float64]  `cty:"margin"`
	HigherIsBetter          Value[bool]     `cty:"higher_is_better"`
	Control                 Value[string]   `cty:"control"`
	Looks                   Value[float64]  `cty:"looks"`
	Spending                Value[string]   `cty:"spending"`
	DesignEffect            Value[float64]  `cty:"design_effect"`
	LabelDelay              Value[Duration] `cty:"label_delay"`
}

// Stage is one step of a rollout.
type Stage struct {
	Name           Value[string]   `cty:"name"`
	Kind           Value[string]   `cty:"kind"`
	TrafficPercent Value[float64]  `cty:"traffic_percent"`
	Duration       Value[Duration] `cty:"duration"`
	Decides        Value[bool]     `cty:"decides"`
}

// Guardrail aborts a stage when the candidate's rate of something bad is too high.
type Guardrail struct {
	Name             Value[string]   `cty:"name"`
	Metric           Value[string]   `cty:"metric"`
	BaselineRate     Value[float64]  `cty:"baseline_rate"`
	Maximum          Value[float64]  `cty:"maximum"`
	Every            Value[Duration] `cty:"every"`
	FailureLimit     Value[float64]  `cty:"failure_limit"`
	FalseAbortBudget Value[float64]  `cty:"false_abort_budget"`
}

// Rollback is the way back.
type Rollback struct {
	Automatic    Value[bool]    `cty:"automatic"`
	KeepVersions Value[float64] `cty:"keep_versions"`
}

// RolloutEvaluation holds a rollout policy's figures.
type RolloutEvaluation struct {
	RequiredSamplesTreatment Value[float64]                  `cty:"required_samples_treatment"`
	RequiredSamplesControl   Value[float64]                  `cty:"required_samples_control"`
	Type1Error               Value[float64]                  `cty:"type_1_error"`
	Power                    Value[float64]                  `cty:"power"`
	Stages                   Value[[]Value[StageEvaluation]] `cty:"stages"`
}

// StageEvaluation holds one stage's figures.
type StageEvaluation struct {
	Name             Value[string]   `cty:"name"`
	SamplesTreatment Value[float64]  `cty:"samples_treatment"`
	SamplesControl   Value[float64]  `cty:"samples_control"`
	Power            Value[float64]  `cty:"power"`
	MinimumDuration  Value[Duration] `cty:"minimum_duration"`
	ExposedRequests  Value[float64]  `cty:"exposed_requests"`
	FalseAbortRate   Value[float64]  `cty:"false_abort_rate"`
}

// The kinds of stages. Canary and ab are live: they send real answers to users.
const (
	StageShadow = "shadow"
	StageCanary = "canary"
	StageAB     = "ab"
	StageFull   = "full"
)

var rolloutPolicy = &Kind{
	Name: "rollout_policy", Family: "rollout", Key: []string{"model", "name"}, Fields: RolloutPolicy{},
	Schema: schema.Schema{
		MarkdownDescription: "How a new version of a model reaches all traffic, and what must be shown on the way. The plan shows whether each stage collects the samples its claim needs, and how often a healthy candidate is aborted.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model": keyString("The registered model."),
			"name":  keyString("The policy's name, unique for the model."),
			"risk":  optionalString("How much harm a bad version can do; usually the model's own, by reference."),
			"traffic": schema.SingleNestedAttribute{
				Required: true, MarkdownDescription: "What the model serves, all versions together.",
				Attributes: map[string]schema.Attribute{"requests_per_second": requiredNumber("The lowest rate expected while a stage runs.")},
			},
			"hypothesis": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "The claim that the deciding stage tests. Left out where traffic is too low to test any.",
				Attributes: map[string]schema.Attribute{
					"metric":                    requiredString("What is compared: a metric of the product."),
					"kind":                      requiredString("Whether the metric is a `proportion` of requests or a `mean` over requests."),
					"baseline_rate":             optionalNumber("The proportion today; needed for a proportion."),
					"std_dev":                   optionalNumber("The standard deviation of one request's value; needed for a mean."),
					"minimum_detectable_effect": requiredNumber("The smallest effect that must be seen, signed: the candidate's rate or mean is the baseline plus it. For `non_inferior`, the effect expected in truth, often 0."),
					"significance_level":        numberWithDefault("0.05", "The probability of seeing an effect where there is none."),
					"power":                     numberWithDefault("0.8", "The probability of seeing the effect where it is there."),
					"alternative":               stringWithDefault("two_sided", "What would be shown: a difference, that the candidate is greater or less, or that it is not worse by more than `margin`."),
					"margin":                    optionalNumber("How much worse is still acceptable, for `non_inferior`."),
					"higher_is_better":          schema.BoolAttribute{Optional: true, MarkdownDescription: "Which direction is better, for `non_inferior`. True where it is left out."},
					"control":                   stringWithDefault("stable", "What the candidate is compared with: all `stable` traffic, or a `matched_baseline` of the same size."),
					"looks":                     numberWithDefault("1", "How many times the accumulating data are looked at within the deciding stage, equally spaced, the last look included."),
					"spending":                  optionalString("How several looks share the significance level: Lan-DeMets spending."),
					"design_effect":             numberWithDefault("1", "How many requests count as one independent observation, because a user sends several."),
					"label_delay":               stringWithDefault("0s", "How long it takes until a request's outcome is known."),
				},
			},
			"stages": schema.ListNestedAttribute{
				Required: true, MarkdownDescription: "The steps, in order. The last one before `full` decides, or the one with `decides = true`.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"name":            requiredString("The stage's name."),
					"kind":            requiredString("`shadow` copies requests and answers nobody; `canary` and `ab` answer a share of the users; `full` answers all."),
					"traffic_percent": requiredNumber("The percentage of requests that the candidate receives."),
					"duration":        optionalString("How long the stage lasts; needed for every stage but `full`."),
					"decides":         schema.BoolAttribute{Optional: true, MarkdownDescription: "Whether this stage is the one that must show the hypothesis."},
				}},
			},
			"guardrails": schema.ListNestedAttribute{
				Optional: true, MarkdownDescription: "What aborts a live stage.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"name":               requiredString("The guardrail's name."),
					"metric":             requiredString("The rate of something bad among the candidate's requests."),
					"baseline_rate":      requiredNumber("The rate of a healthy candidate."),
					"maximum":            requiredNumber("A check fails when more than this proportion of its requests is bad."),
					"every":              requiredString("How long it is from one check to the next; a check looks at the requests since the one before."),
					"failure_limit":      numberWithDefault("0", "How many checks of a stage may fail before it is aborted."),
					"false_abort_budget": numberWithDefault("0.05", "The probability, over all stages, that a healthy candidate is aborted, that the team accepts."),
				}},
			},
			"rollback": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "The way back.",
				Attributes: map[string]schema.Attribute{
					"automatic":     boolWithDefault(true, "Whether an abort rolls back by itself."),
					"keep_versions": numberWithDefault("2", "How many previous versions are kept ready."),
				},
			},
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the stages collect and what they can show. Independent observations are assumed after the design effect.",
				Attributes: map[string]schema.Attribute{
					"required_samples_treatment": computedNumber("Samples the candidate needs in the deciding stage."),
					"required_samples_control":   computedNumber("Samples the control needs in the deciding stage."),
					"type_1_error":               computedNumber("The probability of seeing an effect where there is none, with all looks."),
					"power":                      computedNumber("The probability with which the deciding stage sees the effect, with its looks."),
					"stages": schema.ListNestedAttribute{
						Computed: true, MarkdownDescription: "Figures by stage, in order.",
						NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
							"name":              computedString("The stage's name."),
							"samples_treatment": computedNumber("Requests that the candidate answers for users. Null for `shadow` and `full`."),
							"samples_control":   computedNumber("Requests of the control. Null for `shadow` and `full`."),
							"power":             computedNumber("The probability with which the stage, by itself, sees the effect."),
							"minimum_duration":  computedString("How long the stage must last until the slower arm has what it requires, and the labels with it."),
							"exposed_requests":  computedNumber("Requests that the candidate answers for users; 0 for `shadow`, null where the stage has no end."),
							"false_abort_rate":  computedNumber("The probability that any guardrail aborts a healthy candidate in the stage."),
						}},
					},
				},
			},
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"model":                           {objectName()},
		"name":                            {objectName()},
		"risk":                            {oneOf("low", "medium", "high")},
		"traffic.requests_per_second":     {between(above(0), upTo(1e9))},
		"hypothesis.metric":               {notBlank()},
		"hypothesis.kind":                 {oneOf("proportion", "mean")},
		"hypothesis.baseline_rate":        {between(above(0), below(1))},
		"hypothesis.std_dev":              {between(above(0), infinity)},
		"hypothesis.significance_level":   {between(above(0), below(1))},
		"hypothesis.power":                {between(above(0), below(1))},
		"hypothesis.alternative":          {oneOf("two_sided", "greater", "less", "non_inferior")},
		"hypothesis.margin":               {between(above(0), infinity)},
		"hypothesis.control":              {oneOf("stable", "matched_baseline")},
		"hypothesis.looks":                {wholeNumber(), between(from(1), upTo(100))},
		"hypothesis.spending":             {oneOf("obrien_fleming", "pocock")},
		"hypothesis.design_effect":        {between(from(1), upTo(1e6))},
		"hypothesis.label_delay":          {durationAtLeast(0)},
		"stages":                          {notEmptyList()},
		"stages[].name":                   {notBlank()},
		"stages[].kind":                   {oneOf(StageShadow, StageCanary, StageAB, StageFull)},
		"stages[].traffic_percent":        {between(above(0), upTo(100))},
		"stages[].duration":               {durationAtLeast(1e9)},
		"guardrails[].name":               {notBlank()},
		"guardrails[].metric":             {notBlank()},
		"guardrails[].baseline_rate":      {between(from(0), below(1))},
		"guardrails[].maximum":            {between(from(0), below(1))},
		"guardrails[].every":              {durationAtLeast(1e9)},
		"guardrails[].failure_limit":      {wholeNumber(), between(from(0), upTo(1e6))},
		"guardrails[].false_abort_budget": {between(above(0), upTo(1))},
		"rollback.keep_versions":          {wholeNumber(), between(from(0), upTo(1000))},
	}),
	Together: func(v cty.Value) []Finding {
		p := mustDecode[RolloutPolicy](v)
		return append(checkHypothesis(p.Hypothesis), checkStages(p)...)
	},
}

func checkHypothesis(declared Value[Hypothesis]) []Finding {
	if !declared.IsKnown() {
		return nil
	}
	h := declared.Fields()
	var findings []Finding
	needs := func(kind string, leaf Value[float64], name, fix string) {
		if is, ok := h.Kind.Get(); ok && is == kind && leaf.IsNull() {
			findings = append(findings, Invalid(leaf.Path(), cty.NilVal, fmt.Sprintf("a %s needs %s", kind, name), fix))
		}
	}
	needs("proportion", h.BaselineRate, "its baseline_rate", "Set baseline_rate to the proportion measured today.")
	needs("mean", h.StdDev, "its std_dev", "Set std_dev to the standard deviation of one request's value.")

	effect, effectKnown := h.MinimumDetectableEffect.Get()
	alternative, alternativeKnown := h.Alternative.Get()
	if effectKnown && alternativeKnown {
		at, shown := h.MinimumDetectableEffect.Path(), Number(effect)
		switch {
		case alternative != "non_inferior" && effect == 0:
			findings = append(findings, Invalid(at, shown, "no sample is large enough to see an effect of nothing", "Name the smallest effect that would change the decision."))
		case alternative == "greater" && effect < 0:
			findings = append(findings, Invalid(at, shown, `the alternative is "greater", and this effect is a decrease`, "Use "+formatNumber(-effect)+`, or alternative = "less".`))
		case alternative == "less" && effect > 0:
			findings = append(findings, Invalid(at, shown, `the alternative is "less", and this effect is an increase`, "Use "+formatNumber(-effect)+`, or alternative = "greater".`))
		}
	}
	if kind, ok := h.Kind.Get(); ok && kind == "proportion" && effectKnown {
		if rate, ok := h.BaselineRate.Get(); ok && (rate+effect <= 0 || rate+effect >= 1) {
			findings = append(findings, Invalid(h.MinimumDetectableEffect.Path(), Number(effect), fmt.Sprintf("added to the baseline rate of %s it gives %s, which is no proportion between 0 and 1", formatNumber(rate), fmt.Sprintf("%.6g", rate+effect)), "Effects are absolute: 1 percentage point is 0.01."))
		}
	}
	if alternativeKnown {
		margin, ok := h.Margin.Get()
		switch {
		case alternative == "non_inferior" && h.Margin.IsNull():
			findings = append(findings, Invalid(h.Margin.Path(), cty.NilVal, `the alternative "non_inferior" needs the margin that is still acceptable`, "Set margin, for instance 0.01."))
		case alternative != "non_inferior" && !h.Margin.IsNull():
			findings = append(findings, Invalid(h.Margin.Path(), cty.NilVal, fmt.Sprintf("a margin is for the alternative %q, and this is %q", "non_inferior", alternative), `Set alternative = "non_inferior", or remove margin.`))
		case alternative == "non_inferior" && ok && effectKnown:
			loss := -effect
			if !h.HigherIsBetter.Or(true) {
				loss = effect
			}
			if loss >= margin {
				findings = append(findings, Invalid(h.MinimumDetectableEffect.Path(), Number(effect), fmt.Sprintf("a candidate that is worse by %s cannot be shown to stay within the margin of %s", formatNumber(loss), formatNumber(margin)), "Use 0, the effect of a candidate that is as good as the control."))
			}
		}
	}
	return findings
}

func checkStages(p RolloutPolicy) []Finding {
	stages, ok := p.Stages.Get()
	if !ok {
		return nil
	}
	var findings []Finding
	names, decides := map[string]bool{}, 0
	for _, stage := range stages {
		s := stage.Fields()
		kind, kindKnown := s.Kind.Get()
		if name, ok := s.Name.Get(); ok {
			if names[name] {
				findings = append(findings, Invalid(s.Name.Path(), cty.StringVal(name), "two stages have this name", "Give each stage its own name."))
			}
			names[name] = true
		}
		if kindKnown && kind != StageFull && s.Duration.IsNull() {
			findings = append(findings, Invalid(s.Duration.Path(), cty.NilVal, fmt.Sprintf("a %s stage needs a duration: without one nobody knows what it collects", kind), `Set duration, for instance "2h".`))
		}
		if s.Decides.Or(false) {
			decides++
			if decides > 1 {
				findings = append(findings, Invalid(s.Decides.Path(), cty.True, "another stage decides already", "Let one stage decide."))
			}
			if kindKnown && kind != StageCanary && kind != StageAB {
				findings = append(findings, Invalid(s.Decides.Path(), cty.True, fmt.Sprintf("a %s stage has no users to compare", kind), "Let a canary or ab stage decide."))
			}
		}
	}
	guardrails, _ := p.Guardrails.Get()
	guarded := map[string]bool{}
	for _, guardrail := range guardrails {
		g := guardrail.Fields()
		if name, ok := g.Name.Get(); ok {
			if guarded[name] {
				findings = append(findings, Invalid(g.Name.Path(), cty.StringVal(name), "two guardrails have this name", "Give each guardrail its own name."))
			}
			guarded[name] = true
		}
	}
	return findings
}
