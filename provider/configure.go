package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-rootcerts"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// DefaultPath is the embedded control plane's file where nothing else is said.
const DefaultPath = "mlops.db"

type configuration struct {
	Endpoint    types.String `tfsdk:"endpoint"`
	Token       types.String `tfsdk:"token"`
	CACertFile  types.String `tfsdk:"ca_cert_file"`
	Path        types.String `tfsdk:"path"`
	Enforcement types.String `tfsdk:"enforcement"`
	Rules       types.Map    `tfsdk:"rules"`
	MLflow      types.Object `tfsdk:"mlflow"`

	RequestTimeout   types.String `tfsdk:"request_timeout"`
	OperationTimeout types.String `tfsdk:"operation_timeout"`
}

// How long the provider waits where the configuration does not say.
const (
	defaultRequestTimeout   = 30 * time.Second
	defaultOperationTimeout = 5 * time.Minute
)

type mlflowConfiguration struct {
	TrackingURI types.String `tfsdk:"tracking_uri"`
	Username    types.String `tfsdk:"username"`
	Password    types.String `tfsdk:"password"`
	Token       types.String `tfsdk:"token"`
	CACertFile  types.String `tfsdk:"ca_cert_file"`
	InsecureTLS types.Bool   `tfsdk:"insecure_tls"`
}

// Schema is the provider's configuration.
func (p *Provider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "MLOps policy as code, proved at plan time: registered models, rollout policies, data drift monitors and alert thresholds, with the figures that say whether each can do what it claims.",
		Attributes: map[string]schema.Attribute{
			"endpoint":          schema.StringAttribute{Optional: true, MarkdownDescription: "The URL of a control plane that `mlopsctl serve` runs. Left out, the provider runs one itself, over the file `path`. Also `MLOPS_ENDPOINT`. The history of aliases names who runs Terraform as `MLOPS_ACTOR`, or as the user of the machine."},
			"ca_cert_file":      schema.StringAttribute{Optional: true, MarkdownDescription: "A PEM file with the certificate authority of `endpoint`, where the machine does not trust it already. Also `MLOPS_CA_CERT_FILE`."},
			"token":             schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "The bearer token for `endpoint`. Also `MLOPS_TOKEN`."},
			"path":              schema.StringAttribute{Optional: true, MarkdownDescription: "The embedded control plane's SQLite file, relative to the working directory. Created by the first apply. Also `MLOPS_PATH`. Default `" + DefaultPath + "`."},
			"enforcement":       schema.StringAttribute{Optional: true, MarkdownDescription: "What findings do: `error` (default) stops the plan where a rule says error, `warning` only warns, `off` is silent. Values that can never be valid are errors all the same."},
			"rules":             schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Enforcement of single rules, by id: `{ \"drift/noise-floor\" = \"warning\" }`."},
			"request_timeout":   schema.StringAttribute{Optional: true, MarkdownDescription: "How long `endpoint` may take to answer one request before it is asked again, as `30s` (the default) or `2m`."},
			"operation_timeout": schema.StringAttribute{Optional: true, MarkdownDescription: "How long one create, read, update or delete may take at `endpoint`, repeated requests included. Default `5m`."},
			"mlflow": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "Keep registered models, their versions and aliases in an MLflow registry. Everything else stays in the file `path`. MLflow's own environment variables fill what is left out here; without this block they do nothing.",
				Attributes: map[string]schema.Attribute{
					"tracking_uri": schema.StringAttribute{Optional: true, MarkdownDescription: "The MLflow server's URL. Also `MLFLOW_REGISTRY_URI`, then `MLFLOW_TRACKING_URI`."},
					"username":     schema.StringAttribute{Optional: true, MarkdownDescription: "The user for basic authentication. Also `MLFLOW_TRACKING_USERNAME`."},
					"password":     schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "The password for basic authentication. Also `MLFLOW_TRACKING_PASSWORD`."},
					"token":        schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "A bearer token, where no user and password are given. Also `MLFLOW_TRACKING_TOKEN`."},
					"ca_cert_file": schema.StringAttribute{Optional: true, MarkdownDescription: "A file with the certificate authority of the server. Also `MLFLOW_TRACKING_SERVER_CERT_PATH`."},
					"insecure_tls": schema.BoolAttribute{Optional: true, MarkdownDescription: "Do not verify the server's certificate. Also `MLFLOW_TRACKING_INSECURE_TLS`."},
				},
			},
		},
	}
}

// ValidateConfig reports configurations that can never work.
func (p *Provider) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	var c configuration
	if resp.Diagnostics.Append(req.Config.Get(ctx, &c)...); resp.Diagnostics.HasError() {
		return
	}
	if isSet(c.Endpoint) && !c.MLflow.IsNull() && !c.MLflow.IsUnknown() {
		resp.Diagnostics.AddAttributeError(path.Root("mlflow"), "mlflow and endpoint exclude each other", "With an endpoint, the control plane there decides where registered models live.\n\nFix: remove `mlflow` here and configure it on the server, or remove `endpoint`.")
	}
	if isSet(c.Endpoint) && isSet(c.Path) {
		resp.Diagnostics.AddAttributeError(path.Root("path"), "path and endpoint exclude each other", "The path is the file of the embedded control plane, and with an endpoint none runs.\n\nFix: remove one of them.")
	}
	if isSet(c.Endpoint) {
		if u, err := url.Parse(c.Endpoint.ValueString()); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			resp.Diagnostics.AddAttributeError(path.Root("endpoint"), "Invalid endpoint", fmt.Sprintf("%q is not an http or https URL.\n\nFix: write it in full, for instance \"https://mlops.example.com\".", c.Endpoint.ValueString()))
		}
	}
	for name, value := range map[string]types.String{"request_timeout": c.RequestTimeout, "operation_timeout": c.OperationTimeout} {
		if _, err := timeout(value, time.Second); err != nil {
			resp.Diagnostics.AddAttributeError(path.Root(name), "Invalid "+name, fmt.Sprintf("%q is no duration above zero.\n\nFix: write, for instance, \"30s\" or \"2m\".", value.ValueString()))
		}
	}
	levels := func(at path.Path, value types.String) {
		if isSet(value) && !slices.Contains([]review.Level{review.LevelError, review.LevelWarning, review.LevelOff}, review.Level(value.ValueString())) {
			resp.Diagnostics.AddAttributeError(at, "Invalid enforcement", fmt.Sprintf("%q is no enforcement.\n\nFix: use \"error\", \"warning\" or \"off\".", value.ValueString()))
		}
	}
	levels(path.Root("enforcement"), c.Enforcement)
	var known []string
	for _, rule := range review.Rules() {
		known = append(known, rule.ID)
	}
	for rule, element := range c.Rules.Elements() {
		if level, ok := element.(types.String); ok {
			levels(path.Root("rules").AtMapKey(rule), level)
		}
		if !slices.Contains(known, rule) {
			resp.Diagnostics.AddAttributeError(path.Root("rules").AtMapKey(rule), "Unknown rule", fmt.Sprintf("There is no rule %q.\n\nFix: use one of %s.", rule, strings.Join(known, ", ")))
		}
	}
}

// Configure connects the control plane: over HTTP, or in this process.
func (p *Provider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var c configuration
	if resp.Diagnostics.Append(req.Config.Get(ctx, &c)...); resp.Diagnostics.HasError() {
		return
	}
	request, requestErr := timeout(c.RequestTimeout, defaultRequestTimeout)
	operation, operationErr := timeout(c.OperationTimeout, defaultOperationTimeout)
	if err := errors.Join(requestErr, operationErr); err != nil {
		resp.Diagnostics.AddError("Invalid timeout", err.Error()) // known only now
		return
	}
	data := &envelope.Data{Reviewer: p.reviewer(c), Timeout: operation}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = data, data, data
	defer p.data.Store(data) // when it is whole

	var m mlflowConfiguration
	if !c.MLflow.IsNull() && !c.MLflow.IsUnknown() {
		if resp.Diagnostics.Append(c.MLflow.As(ctx, &m, basetypes.ObjectAsOptions{})...); resp.Diagnostics.HasError() {
			return
		}
	}
	for name, value := range map[string]interface{ IsUnknown() bool }{
		"endpoint": c.Endpoint, "token": c.Token, "ca_cert_file": c.CACertFile, "path": c.Path, "mlflow": c.MLflow, "mlflow.tracking_uri": m.TrackingURI,
		"mlflow.username": m.Username, "mlflow.password": m.Password, "mlflow.token": m.Token,
	} {
		if value.IsUnknown() {
			resp.Diagnostics.AddAttributeWarning(path.Root(strings.Split(name, ".")[0]), "The provider's configuration is not known yet", fmt.Sprintf("%s will be known only after apply, so nothing is read from the control plane in this plan. Figures and findings do not need it.", name))
			return
		}
	}

	endpoint := p.value(c.Endpoint, "MLOPS_ENDPOINT")
	if endpoint != "" && !c.MLflow.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("mlflow"), "mlflow and endpoint exclude each other", "MLOPS_ENDPOINT names a control plane, and with one, it decides where registered models live.\n\nFix: unset MLOPS_ENDPOINT, or remove `mlflow`.")
		return
	}
	userAgent := "terraform-provider-mlops/" + p.version
	if endpoint != "" {
		options := client.Options{Endpoint: endpoint, Token: p.value(c.Token, "MLOPS_TOKEN"), UserAgent: userAgent, Timeout: request}
		if file := p.value(c.CACertFile, "MLOPS_CA_CERT_FILE"); file != "" {
			var err error
			if options.RootCAs, err = rootcerts.LoadCAFile(file); err != nil {
				resp.Diagnostics.AddAttributeError(path.Root("ca_cert_file"), "Cannot use the certificate authority", fmt.Sprintf("%q cannot be read as certificates in PEM form: %v.\n\nFix: name the file with the authority's certificate (not the server's key), relative to the working directory or absolute.", file, err))
				return
			}
		}
		remote, err := client.New(options)
		if err != nil {
			resp.Diagnostics.AddAttributeError(path.Root("endpoint"), "Cannot use the endpoint", err.Error())
			return
		}
		data.Client = remote.As(p.actor())
		return
	}

	file := p.value(c.Path, "MLOPS_PATH")
	if file == "" {
		file = DefaultPath
	}
	var options controlplane.Options
	if !c.MLflow.IsNull() {
		flow := p.mlflow(m)
		if flow.TrackingURI == "" {
			resp.Diagnostics.AddAttributeError(path.Root("mlflow"), "MLflow's address is missing", "The block has no tracking_uri, and neither MLFLOW_REGISTRY_URI nor MLFLOW_TRACKING_URI is set.\n\nFix: set tracking_uri, for instance \"http://127.0.0.1:5000\".")
			return
		}
		options.MLflow = &flow
	}
	handler, closer, err := controlplane.OpenEmbedded(file, options)
	if err != nil {
		at := path.Root("path")
		if options.MLflow != nil && strings.Contains(strings.ToLower(err.Error()), "mlflow") {
			at = path.Root("mlflow")
		}
		resp.Diagnostics.AddAttributeError(at, "Cannot open the embedded control plane", err.Error())
		return
	}
	p.opened.add(closer)
	data.Client = client.NewEmbedded(handler).As(p.actor())
}

// actor is who runs Terraform, for the history of aliases: MLOPS_ACTOR, or the user of
// this machine.
func (p *Provider) actor() string {
	if name := p.value(types.StringNull(), "MLOPS_ACTOR"); name != "" {
		return name
	}
	if who, err := user.Current(); err == nil {
		return who.Username
	}
	return ""
}

func (p *Provider) reviewer(c configuration) *review.Reviewer {
	options := review.Options{Today: time.Now().UTC(), Enforcement: review.Level(c.Enforcement.ValueString()), Rules: map[string]review.Level{}, Revision: p.revision()}
	for rule, element := range c.Rules.Elements() {
		if level, ok := element.(types.String); ok && isSet(level) {
			options.Rules[rule] = review.Level(level.ValueString())
		}
	}
	return review.New(options)
}

// revision names this build of the provider; empty where the version does not, as in
// development.
func (p *Provider) revision() string {
	if strings.ContainsAny(p.version, "-+") || p.version == "dev" {
		return ""
	}
	return p.version
}

// mlflow fills the gaps of the block from MLflow's own environment variables, with
// MLflow's own precedence.
func (p *Provider) mlflow(m mlflowConfiguration) mlflow.Options {
	options := mlflow.Options{
		TrackingURI: p.value(m.TrackingURI, "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"),
		Username:    p.value(m.Username, "MLFLOW_TRACKING_USERNAME"),
		Password:    p.value(m.Password, "MLFLOW_TRACKING_PASSWORD"),
		Token:       p.value(m.Token, "MLFLOW_TRACKING_TOKEN"),
		CACertFile:  p.value(m.CACertFile, "MLFLOW_TRACKING_SERVER_CERT_PATH"),
		InsecureTLS: m.InsecureTLS.ValueBool(),
	}
	if m.InsecureTLS.IsNull() {
		options.InsecureTLS = strings.EqualFold(p.value(types.StringNull(), "MLFLOW_TRACKING_INSECURE_TLS"), "true")
	}
	return options
}

// value is an attribute's, or the first environment variable's that is set.
func (p *Provider) value(attribute types.String, variables ...string) string {
	if isSet(attribute) {
		return attribute.ValueString()
	}
	for _, name := range variables {
		if value, ok := p.lookup(name); ok && value != "" {
			return value
		}
	}
	return ""
}

// timeout is a duration above zero; absent is the default.
func timeout(s types.String, absent time.Duration) (time.Duration, error) {
	if !isSet(s) {
		return absent, nil
	}
	d, err := spec.ParseDuration(s.ValueString())
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is not above zero", s.ValueString())
	}
	return time.Duration(d), err
}

func isSet(s types.String) bool { return !s.IsNull() && !s.IsUnknown() }
