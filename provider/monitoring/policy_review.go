package monitoring

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// DataSources lists the constructors of the family's data sources that are no kind's.
func DataSources() []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return policyReview{} }}
}

// policyReview judges alerts together. Terraform shows a provider one object at a time;
// a data source is given what it asks for. It computes, and asks no control plane.
type policyReview struct{}

type reviewModel struct {
	Budget   types.Number    `tfsdk:"false_alarms_per_30d"`
	Alerts   []reviewAlert   `tfsdk:"alerts"`
	Total    types.Number    `tfsdk:"total"`
	Low      types.Number    `tfsdk:"low"`
	High     types.Number    `tfsdk:"high"`
	Within   types.Bool      `tfsdk:"within_budget"`
	Findings []reviewFinding `tfsdk:"findings"`
}

type reviewAlert struct {
	Name       types.String      `tfsdk:"name"`
	Severity   types.String      `tfsdk:"severity"`
	Evaluation *reviewEvaluation `tfsdk:"evaluation"`
}

type reviewEvaluation struct {
	Month types.Number `tfsdk:"false_alarms_per_30d"`
	Low   types.Number `tfsdk:"false_alarms_per_30d_low"`
	High  types.Number `tfsdk:"false_alarms_per_30d_high"`
}

type reviewFinding struct {
	Rule     types.String `tfsdk:"rule"`
	Severity types.String `tfsdk:"severity"`
	Summary  types.String `tfsdk:"summary"`
	Detail   types.String `tfsdk:"detail"`
	Fix      types.String `tfsdk:"fix"`
}

// Metadata names the data source.
func (policyReview) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = spec.TerraformPrefix + "policy_review"
}

// Schema takes whole alert thresholds: Terraform keeps of an object what the type asks
// for.
func (policyReview) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	number := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Computed: true, MarkdownDescription: description}
	}
	given := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Judges alerts together: what no single alert shows in its own plan. It computes from what it is given, at plan where that is known, and is made for `check` blocks. Refer to resources through `locals`: Terraform reads a data source at apply where its arguments refer directly to resources that the plan changes. The linter does the same over a whole plan (`drift/family-wise`).",
		Attributes: map[string]schema.Attribute{
			"alerts": schema.ListNestedAttribute{
				Required: true, MarkdownDescription: "The alerts: `mlops_alert_threshold` resources as they are, or objects with these attributes.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"name":     schema.StringAttribute{Required: true, MarkdownDescription: "The alert's name, for messages."},
					"severity": schema.StringAttribute{Optional: true, MarkdownDescription: "The alert's severity. One that only informs (`info`) does not count."},
					"evaluation": schema.SingleNestedAttribute{
						Required: true, MarkdownDescription: "The alert's figures.",
						Attributes: map[string]schema.Attribute{
							"false_alarms_per_30d":      given("Evaluations in 30 days that fire on no drift. Null where there is no such figure; the alert does not count then."),
							"false_alarms_per_30d_low":  given("The same with a lucky baseline; `false_alarms_per_30d` where it is left out."),
							"false_alarms_per_30d_high": given("The same with an unlucky baseline; `false_alarms_per_30d` where it is left out."),
						},
					},
				}},
			},
			"false_alarms_per_30d": given("How many false alarms they may raise together in 30 days: usually the model's `false_alarms_per_30d`. Null sets no limit."),
			"total":                number("The false alarms of all in 30 days. Expected numbers add up, whatever the alerts have in common."),
			"low":                  number("The same where all baselines are lucky ones: the lower end where the monitors share a baseline."),
			"high":                 number("The same where no baseline is a lucky one: the upper end where the monitors share a baseline."),
			"within_budget":        schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether `total` keeps the budget."},
			"findings": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "What is wrong with them together.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"rule":     text("The rule's id, also its documentation page."),
					"severity": text("The rule's severity, before any enforcement."),
					"summary":  text("What is wrong, the same for every finding of the rule."),
					"detail":   text("The numbers, and why."),
					"fix":      text("The smallest change that mends it."),
				}},
			},
		},
	}
}

// Read computes the sums.
func (policyReview) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m reviewModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	var alerts []evaluate.FamilyAlert
	for i, a := range m.Alerts {
		at := path.Root("alerts").AtListIndex(i).AtName("evaluation")
		month, given := float(a.Evaluation.Month)
		if !given || a.Severity.ValueString() == evaluate.SeverityInfo {
			continue
		}
		alert := evaluate.FamilyAlert{Name: a.Name.ValueString(), Month: month, Low: month, High: month}
		if low, ok := float(a.Evaluation.Low); ok {
			alert.Low = low
		}
		if high, ok := float(a.Evaluation.High); ok {
			alert.High = high
		}
		for _, n := range []float64{alert.Month, alert.Low, alert.High} {
			if n < 0 || n > maximumFalseAlarms {
				resp.Diagnostics.AddAttributeError(at, "No number of false alarms", "A number of false alarms in 30 days is at least 0, and at most one in every second.\n\nFix: pass the `evaluation` of an mlops_alert_threshold.")
				return
			}
		}
		alerts = append(alerts, alert)
	}
	family := evaluate.NewFamily(alerts)
	m.Within, m.Findings = types.BoolValue(true), []reviewFinding{}
	if budget, ok := float(m.Budget); ok {
		var findings []spec.Finding
		if family, findings = evaluate.Review(alerts, budget); len(findings) > 0 {
			m.Within = types.BoolValue(false)
		}
		for _, f := range findings {
			m.Findings = append(m.Findings, reviewFinding{
				types.StringValue(f.Rule), types.StringValue(string(f.Severity)), types.StringValue(f.Summary), types.StringValue(f.Detail), types.StringValue(f.Fix),
			})
		}
	}
	m.Total, m.Low, m.High = number(family.Total), number(family.Low), number(family.High)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// maximumFalseAlarms is one in every second of 30 days: monitors are evaluated no more
// often.
const maximumFalseAlarms = 30 * 24 * 3600

func float(n types.Number) (float64, bool) {
	if n.IsNull() || n.IsUnknown() {
		return 0, false
	}
	f, _ := n.ValueBigFloat().Float64()
	return f, true
}

// number is the decimal that a figure means, and not its binary neighbour.
func number(f float64) types.Number { return types.NumberValue(spec.Number(f).AsBigFloat()) }
