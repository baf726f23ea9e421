package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// DataSources lists the constructors of the family's data sources that are no kind's.
func DataSources() []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return &modelVersions{} }}
}

// modelVersions searches the versions of a model.
type modelVersions struct{ data *envelope.Data }

type searchModel struct {
	Model    types.String           `tfsdk:"model"`
	Tags     map[string]string      `tfsdk:"tags"`
	Metrics  map[string]metricRange `tfsdk:"metrics"`
	Versions []versionFound         `tfsdk:"versions"`
}

type metricRange struct {
	Minimum types.Number `tfsdk:"minimum"`
	Maximum types.Number `tfsdk:"maximum"`
}

type versionFound struct {
	ID          types.String            `tfsdk:"id"`
	Version     types.Number            `tfsdk:"version"`
	Source      types.String            `tfsdk:"source"`
	RunID       types.String            `tfsdk:"run_id"`
	Digest      types.String            `tfsdk:"digest"`
	Description types.String            `tfsdk:"description"`
	Metrics     map[string]types.Number `tfsdk:"metrics"`
	Tags        map[string]string       `tfsdk:"tags"`
}

// Metadata names the data source.
func (*modelVersions) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = spec.TerraformPrefix + "model_versions"
}

// Schema is what to look for, and what was found.
func (*modelVersions) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	limit := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Searches the versions of a registered model, whoever registered them: Terraform, or a training pipeline. `versions[0]` is the newest one that fits, so that an alias can follow what a pipeline has trained and tested.",
		Attributes: map[string]schema.Attribute{
			"model": schema.StringAttribute{Required: true, MarkdownDescription: "The registered model. One that does not exist has no versions."},
			"tags":  schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Only versions that have all of these tags with these values, as the control plane wrote them."},
			"metrics": schema.MapNestedAttribute{
				Optional: true, MarkdownDescription: "Only versions whose metrics are in these ranges, by metric. A version without the metric does not fit.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"minimum": limit("The lowest value that fits."), "maximum": limit("The highest value that fits."),
				}},
			},
			"versions": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The versions that fit, the newest first.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":          text("The name path: the model, a slash, and the number."),
					"version":     schema.NumberAttribute{Computed: true, MarkdownDescription: "The version's number."},
					"source":      text("Where the artifact is."),
					"run_id":      text("The training run that made the artifact."),
					"digest":      text("The digest of the artifact."),
					"description": text("What is new in the version."),
					"metrics":     schema.MapAttribute{Computed: true, ElementType: types.NumberType, MarkdownDescription: "What the version scored, by metric."},
					"tags":        schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Its tags, as the control plane wrote them."},
				}},
			},
		},
	}
}

// Configure takes what the provider made of its configuration.
func (s *modelVersions) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	s.data = envelope.DataOf(req.ProviderData, &resp.Diagnostics)
}

// Read lists the versions and keeps those that fit.
func (s *modelVersions) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m searchModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() || !s.data.Ready(&resp.Diagnostics) {
		return
	}
	ctx, cancel := s.data.Limited(ctx)
	defer cancel()
	kind, _ := spec.ByName("model_version")
	summary := "Cannot search the versions of " + m.Model.ValueString()
	type numbered struct {
		number float64
		found  versionFound
	}
	var fitting []numbered
	for object, err := range s.data.Client.ListUnder(ctx, kind.Name, m.Model.ValueString()) {
		if err != nil {
			envelope.AddClientError(&resp.Diagnostics, kind, kind.TerraformType()+" of "+m.Model.ValueString(), "search", err)
			return
		}
		value, err := kind.DecodeJSON(object.Attributes)
		if err != nil {
			resp.Diagnostics.AddError(summary, fmt.Sprintf("What the control plane keeps of %s does not fit this version of the provider: %v.\n\nFix: use the version of the provider that wrote it, or a later one.", object.ID, err))
			return
		}
		version, err := spec.Decode[spec.ModelVersion](value)
		if err != nil {
			resp.Diagnostics.AddError(summary, err.Error())
			return
		}
		key, err := kind.ParseID(object.ID)
		if err != nil {
			resp.Diagnostics.AddError(summary, err.Error())
			return
		}
		if number, _ := key[kind.Numbered].AsBigFloat().Float64(); m.fits(version) {
			fitting = append(fitting, numbered{number, foundOf(object.ID, number, version)})
		}
	}
	slices.SortFunc(fitting, func(a, b numbered) int { return int(b.number - a.number) })
	m.Versions = make([]versionFound, len(fitting))
	for i, f := range fitting {
		m.Versions[i] = f.found
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// fits reports whether a version is one of those that are looked for.
func (m searchModel) fits(v spec.ModelVersion) bool {
	tags, metrics := v.Tags.Or(nil), v.Metrics.Or(nil)
	for name, want := range m.Tags {
		if tag, ok := tags[name]; !ok || tag.Or("") != want {
			return false
		}
	}
	for name, limits := range m.Metrics {
		metric, ok := metrics[name]
		if !ok || !metric.IsKnown() {
			return false
		}
		value := spec.Number(metric.Or(0)).AsBigFloat()
		if !limits.Minimum.IsNull() && value.Cmp(limits.Minimum.ValueBigFloat()) < 0 || !limits.Maximum.IsNull() && value.Cmp(limits.Maximum.ValueBigFloat()) > 0 {
			return false
		}
	}
	return true
}

func foundOf(id string, number float64, v spec.ModelVersion) versionFound {
	out := versionFound{
		ID: types.StringValue(id), Version: types.NumberValue(spec.Number(number).AsBigFloat()),
		Source: text(v.Source), RunID: text(v.RunID), Digest: text(v.Digest), Description: text(v.Description),
		Metrics: map[string]types.Number{}, Tags: map[string]string{},
	}
	for name, metric := range v.Metrics.Or(nil) {
		out.Metrics[name] = types.NumberValue(spec.Number(metric.Or(0)).AsBigFloat())
	}
	for name, tag := range v.Tags.Or(nil) {
		out.Tags[name] = tag.Or("")
	}
	return out
}

func text(v spec.Value[string]) types.String {
	if !v.IsKnown() {
		return types.StringNull()
	}
	return types.StringValue(v.Or(""))
}
