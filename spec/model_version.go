package spec

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/numberplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// ModelVersion is one trained artifact of a registered model. The control plane
// numbers versions from 1; a number is never given again.
type ModelVersion struct {
	Model          Value[string]                    `cty:"model"`
	Version        Value[float64]                   `cty:"version"`
	Source         Value[string]                    `cty:"source"`
	RunID          Value[string]                    `cty:"run_id"`
	Digest         Value[string]                    `cty:"digest"`
	Description    Value[string]                    `cty:"description"`
	Metrics        Value[map[string]Value[float64]] `cty:"metrics"`
	Tags           Value[map[string]Value[string]]  `cty:"tags"`
	Gates          Value[[]Value[Gate]]             `cty:"gates"`
	DeletionPolicy Value[string]                    `cty:"deletion_policy"`
	Waivers        Value[[]Value[Waiver]]           `cty:"waivers"`
	ID             Value[string]                    `cty:"id"`
	UID            Value[string]                    `cty:"uid"`
	Evaluation     Value[VersionEvaluation]         `cty:"evaluation"`
}

// Gate is a limit that one of a version's metrics must keep.
type Gate struct {
	Metric            Value[string]  `cty:"metric"`
	Kind              Value[string]  `cty:"kind"`
	Minimum           Value[float64] `cty:"minimum"`
	Maximum           Value[float64] `cty:"maximum"`
	TestSamples       Value[float64] `cty:"test_samples"`
	Prevalence        Value[float64] `cty:"prevalence"`
	StdDev            Value[float64] `cty:"std_dev"`
	DesignEffect      Value[float64] `cty:"design_effect"`
	SignificanceLevel Value[float64] `cty:"significance_level"`
}

// VersionEvaluation holds a version's figures.
type VersionEvaluation struct {
	Gates Value[[]Value[GateEvaluation]] `cty:"gates"`
}

// GateEvaluation holds the figures of one gate.
type GateEvaluation struct {
	Metric              Value[string]  `cty:"metric"`
	Value               Value[float64] `cty:"value"`
	Margin              Value[float64] `cty:"margin"`
	StandardError       Value[float64] `cty:"standard_error"`
	Z                   Value[float64] `cty:"z"`
	PValue              Value[float64] `cty:"p_value"`
	RequiredTestSamples Value[float64] `cty:"required_test_samples"`
	Method              Value[string]  `cty:"method"`
}

// The kinds of metrics whose noise is known: by them, a gate's standard error is
// computed.
const (
	MetricAUC         = "auc"
	MetricAccuracy    = "accuracy"
	MetricRecall      = "recall"
	MetricSpecificity = "specificity"
	MetricPrecision   = "precision"
	MetricRMSE        = "rmse"
	MetricMAE         = "mae"
	MetricMean        = "mean"
)

var modelVersion = &Kind{
	Name: "model_version", Family: "registry", Key: []string{"model", "version"}, Numbered: "version",
	Immutable: []string{"source", "run_id", "digest", "metrics"}, Fields: ModelVersion{},
	Schema: schema.Schema{
		MarkdownDescription: "A version of a registered model: where its artifact is, what it scored, and the gates that the scores must pass. The control plane numbers versions from 1 and never gives a number again. A version is immutable: another artifact or other metrics make a new version. With `create_before_destroy`, a replacement registers the new version, moves what refers to it, and only then deletes the old one or leaves it, as `deletion_policy` says. The plan shows how much of each gate's margin is noise.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model": keyString("The registered model."),
			"version": schema.NumberAttribute{
				Computed: true, MarkdownDescription: "The version's number, given by the control plane when it registers the version.",
				PlanModifiers: []planmodifier.Number{numberplanmodifier.UseStateForUnknown()},
			},
			"source":      immutableString(true, "Where the artifact is: `runs:/RUN/model`, `s3://bucket/key?versionId=...`, `oci://image@sha256:...`."),
			"run_id":      immutableString(false, "The training run that made the artifact."),
			"digest":      immutableString(false, "The digest of the artifact, which settles what the version is even where `source` can change."),
			"description": optionalString("What is new in the version."),
			"metrics": schema.MapAttribute{
				Optional: true, ElementType: types.NumberType,
				MarkdownDescription: "What the version scored on its test set, by metric." + replaces,
				PlanModifiers:       []planmodifier.Map{mapplanmodifier.RequiresReplace()},
			},
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Tags. They are merged: tags that others set stay, and removing one here deletes only that one.",
			},
			"gates": schema.ListNestedAttribute{
				Optional: true, MarkdownDescription: "The limits that metrics must keep, each either a minimum or a maximum.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"metric":             requiredString("The metric's name in `metrics`."),
					"kind":               optionalString("What sort of metric it is, which decides its standard error. Where it is left out, the name says so: `roc_auc` and `test_auc` are an `auc`, `f1` is none that is known. A `mean` (of rows, by `std_dev`) fits many others."),
					"minimum":            optionalNumber("The lowest value that passes."),
					"maximum":            optionalNumber("The highest value that passes."),
					"test_samples":       optionalNumber("How many labelled rows the metric was measured on. Without it, the gate is not held against noise."),
					"prevalence":         optionalNumber("The share of positives among those rows; needed for `auc`, `recall`, `specificity` and `precision`."),
					"std_dev":            optionalNumber("The standard deviation of one row's value: of the absolute error for `mae`, of the squared error for `rmse`. Needed for a `mean`; for `mae` and `rmse`, errors are taken for normal where it is left out."),
					"design_effect":      numberWithDefault("1", "How many rows count as one independent row, because they come from the same user or day."),
					"significance_level": numberWithDefault("0.05", "The probability with which noise alone may exceed the margin either way: 0.05 asks for a margin outside the 95 % interval."),
				}},
			},
			"deletion_policy": stringWithDefault(DeletionPrevent, "What destroying or replacing this object does to the version: `prevent` refuses, `abandon` forgets it and leaves it in the registry, `delete` deletes it. The policy that was last applied counts."),
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the gates say. Independent rows are assumed after the design effect.",
				Attributes: map[string]schema.Attribute{
					"gates": schema.ListNestedAttribute{
						Computed: true, MarkdownDescription: "Figures by gate, in order.",
						NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
							"metric":                computedString("The gate's metric."),
							"value":                 computedNumber("What the version scored; null where `metrics` lacks it."),
							"margin":                computedNumber("By how much the value passes the gate; negative where it misses it."),
							"standard_error":        computedNumber("By how much the metric of a model that is exactly at its gate varies from test set to test set. Null where it is not known."),
							"z":                     computedNumber("The margin in standard errors."),
							"p_value":               computedNumber("The probability that a model that is exactly at its gate scores at least this well."),
							"required_test_samples": computedNumber("How many rows make a margin of this size more than noise; null where no number does."),
							"method":                computedString("How the standard error was computed: `binormal`, `binomial`, `normal` or `std_dev`."),
						}},
					},
				},
			},
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"model":                      {objectName()},
		"source":                     {artifactReference()},
		"run_id":                     {matching(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,249}$`, "Letters, digits, `_`, `.` and `-`.", "must be the id of a run: letters, digits, '_', '.' and '-'", "Write the id as the tracking server shows it.")},
		"digest":                     {digestText()},
		"description":                {atMostBytes(5000)},
		"metrics":                    {metricMap()},
		"tags":                       {tagMap()},
		"gates[].metric":             {notBlank()},
		"gates[].kind":               {oneOf(MetricAUC, MetricAccuracy, MetricRecall, MetricSpecificity, MetricPrecision, MetricRMSE, MetricMAE, MetricMean)},
		"gates[].test_samples":       {wholeNumber(), between(from(1), upTo(1e12))},
		"gates[].prevalence":         {between(above(0), below(1))},
		"gates[].std_dev":            {between(above(0), infinity)},
		"gates[].design_effect":      {between(from(1), upTo(1e6))},
		"gates[].significance_level": {between(above(0), below(1))},
		"deletion_policy":            {oneOf(DeletionPrevent, DeletionAbandon, DeletionDelete)},
	}),
	Together: func(v cty.Value) []Finding {
		var findings []Finding
		gates := v.GetAttr("gates")
		if !gates.IsKnown() || gates.IsNull() {
			return nil
		}
		for it := gates.ElementIterator(); it.Next(); {
			index, gate := it.Element()
			if gate.IsKnown() {
				findings = append(findings, exactlyOne(gate, append(attr("gates"), cty.IndexStep{Key: index}), "minimum", "maximum")...)
			}
		}
		return findings
	},
}

// replaces ends the description of an attribute that no update changes.
const replaces = " Changing it makes a new version."

func immutableString(required bool, description string) schema.StringAttribute {
	return schema.StringAttribute{
		Required: required, Optional: !required, MarkdownDescription: description + replaces,
		PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
	}
}

// artifactReference accepts what every registry keeps as a source.
func artifactReference() Constraint {
	return Constraint{
		Describe: "At most 500 bytes, without white space or control characters.",
		Check: func(v cty.Value) (string, string) {
			source := v.AsString()
			switch {
			case source == "":
				return "cannot be empty", `Write where the artifact is, for instance "s3://models/fraud/7/model.pkl".`
			case len(source) > 500:
				return fmt.Sprintf("has %d bytes, at most 500 are kept by every registry", len(source)), "Shorten it."
			case strings.ContainsFunc(source, func(r rune) bool { return r <= ' ' || r == 0x7f }):
				return "cannot contain white space or control characters", "Escape them as %20 and the like."
			}
			return "", ""
		},
	}
}

// digestText accepts a digest as OCI writes it.
func digestText() Constraint {
	expression := regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
	return Constraint{
		Describe: "`sha256:` and 64 hexadecimal digits, or `sha512:` and 128, in lower case.",
		Check: func(v cty.Value) (string, string) {
			text := v.AsString()
			if expression.MatchString(text) {
				return "", ""
			}
			fix := `Write "sha256:" and the 64 digits that sha256sum prints.`
			if expression.MatchString(strings.ToLower(text)) {
				fix = "Use " + strconvQuote(strings.ToLower(text)) + "."
			} else if expression.MatchString("sha256:" + strings.ToLower(text)) {
				fix = "Use " + strconvQuote("sha256:"+strings.ToLower(text)) + "."
			}
			return "must be a digest: its algorithm, a colon, and lower-case hexadecimal digits", fix
		},
	}
}

// metricMap accepts numbers by names that are not empty.
func metricMap() Constraint {
	return Constraint{
		Describe: "Names of at most 250 bytes; finite numbers.",
		Check: func(v cty.Value) (string, string) {
			for it := v.ElementIterator(); it.Next(); {
				k, element := it.Element()
				name := k.AsString()
				if strings.TrimSpace(name) == "" || len(name) > 250 {
					return fmt.Sprintf("the name %q is empty or longer than 250 bytes", name), "Name the metric as the gates do."
				}
				if !element.IsKnown() {
					continue
				}
				if element.IsNull() {
					return fmt.Sprintf("the metric %q is null", name), "Give it a value, or leave it out."
				}
				if f, _ := element.AsBigFloat().Float64(); math.IsInf(f, 0) {
					return fmt.Sprintf("the metric %q is out of range", name), "Use a number."
				}
			}
			return "", ""
		},
	}
}
