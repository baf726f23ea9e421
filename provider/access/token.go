package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// defaultName is what a token is for where the configuration does not say.
const defaultName = "terraform"

// token mints a bearer token for the time of one run.
type token struct{ data *envelope.Data }

type tokenModel struct {
	Name        types.String `tfsdk:"name"`
	Role        types.String `tfsdk:"role"`
	TTL         types.String `tfsdk:"ttl"`
	Description types.String `tfsdk:"description"`
	ID          types.String `tfsdk:"id"`
	Token       types.String `tfsdk:"token"`
	ExpiresAt   types.String `tfsdk:"expires_at"`
}

var (
	_ ephemeral.EphemeralResourceWithConfigure      = (*token)(nil)
	_ ephemeral.EphemeralResourceWithValidateConfig = (*token)(nil)
	_ ephemeral.EphemeralResourceWithRenew          = (*token)(nil)
	_ ephemeral.EphemeralResourceWithClose          = (*token)(nil)
)

// Metadata names the ephemeral resource.
func (*token) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = spec.TerraformPrefix + "token"
}

// Schema is what to ask for, and the token.
func (*token) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A bearer token for the control plane that lives as long as the run: it is minted when Terraform needs it, renewed while it is needed, and revoked at the end; where an apply fails or is killed, it ends with its `ttl`. It is in no state and in no plan. It allows no more than the token that the provider has, mints no tokens itself, and ends with that one at the latest. The provider needs an `endpoint` and a token of the role `plan` or more; Terraform opens ephemeral resources in plans, too. Needs Terraform 1.10 or OpenTofu 1.11.",
		Attributes: map[string]schema.Attribute{
			"role":        schema.StringAttribute{Required: true, MarkdownDescription: "The most that the token allows: `read`, `plan`, `apply` or `admin`, and no more than the provider's own token."},
			"name":        schema.StringAttribute{Optional: true, MarkdownDescription: "What it is for. In logs and histories it follows the name of the provider's token: `ci/nightly`. Default `" + defaultName + "`."},
			"ttl":         schema.StringAttribute{Optional: true, MarkdownDescription: "How long it works after it was minted or renewed, from `1m` to `1d`. Default `15m`."},
			"description": schema.StringAttribute{Optional: true, MarkdownDescription: "For people who list the tokens. At most 256 characters."},
			"id":          schema.StringAttribute{Computed: true, MarkdownDescription: "Names the token. It is no secret."},
			"token":       schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The bearer token."},
			"expires_at":  schema.StringAttribute{Computed: true, MarkdownDescription: "Until when it works unless it is renewed (RFC 3339)."},
		},
	}
}

// Configure takes what the provider made of its configuration.
func (t *token) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	t.data = envelope.DataOf(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig reports what no control plane can mint.
func (*token) ValidateConfig(ctx context.Context, req ephemeral.ValidateConfigRequest, resp *ephemeral.ValidateConfigResponse) {
	var m tokenModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	if roles := []string{"read", "plan", "apply", "admin"}; isSet(m.Role) && !slices.Contains(roles, m.Role.ValueString()) {
		resp.Diagnostics.AddAttributeError(path.Root("role"), "Invalid role", fmt.Sprintf("role: %q is no role.\n\nFix: use one of %s; each may what those before it may.", m.Role.ValueString(), strings.Join(roles, ", ")))
	}
	if isSet(m.TTL) {
		if d, err := spec.ParseDuration(m.TTL.ValueString()); err != nil || time.Duration(d) < time.Minute || time.Duration(d) > 24*time.Hour {
			resp.Diagnostics.AddAttributeError(path.Root("ttl"), "Invalid ttl", fmt.Sprintf("ttl: %q is no duration from 1m to 1d.\n\nFix: write, for instance, \"15m\".", m.TTL.ValueString()))
		}
	}
}

// kept is what the provider must know of a token to renew and to revoke it.
type kept struct {
	ID string `json:"id"`
}

const privateKey = "token"

// Open mints the token.
func (t *token) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m tokenModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() || !t.data.Ready(&resp.Diagnostics) {
		return
	}
	ctx, cancel := t.data.Limited(ctx)
	defer cancel()
	request := client.TokenRequest{Name: defaultName, Role: m.Role.ValueString(), TTL: m.TTL.ValueString(), Description: m.Description.ValueString()}
	if isSet(m.Name) {
		request.Name = m.Name.ValueString()
	}
	minted, err := t.data.Client.MintToken(ctx, request)
	if err != nil {
		addError(&resp.Diagnostics, "Cannot mint a token", err)
		return
	}
	note, err := json.Marshal(kept{ID: minted.ID})
	if err != nil {
		resp.Diagnostics.AddError("Cannot mint a token", err.Error())
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, privateKey, note)...)
	m.ID, m.Token, m.ExpiresAt = types.StringValue(minted.ID), types.StringValue(minted.Token), types.StringValue(minted.ExpiresAt.Format(time.RFC3339))
	resp.RenewAt = renewal(minted, time.Now())
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// renewal is when to renew a token: well before it expires, and never where no renewal
// would prolong it.
func renewal(t *client.Token, now time.Time) time.Time {
	if !t.ExpiresAt.Before(t.EndsAt) {
		return time.Time{}
	}
	return now.Add(t.ExpiresAt.Sub(now) / 2)
}

// Renew has the token work for longer.
func (t *token) Renew(ctx context.Context, req ephemeral.RenewRequest, resp *ephemeral.RenewResponse) {
	id, ok := t.known(ctx, req.Private, &resp.Diagnostics)
	if !ok {
		return
	}
	ctx, cancel := t.data.Limited(ctx)
	defer cancel()
	renewed, err := t.data.Client.RenewToken(ctx, id)
	if err != nil {
		addError(&resp.Diagnostics, "Cannot renew the token "+id, err)
		return
	}
	resp.RenewAt = renewal(renewed, time.Now())
}

// Close revokes the token.
func (t *token) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	id, ok := t.known(ctx, req.Private, &resp.Diagnostics)
	if !ok {
		return
	}
	ctx, cancel := t.data.Limited(ctx)
	defer cancel()
	if err := t.data.Client.RevokeToken(ctx, id); err != nil {
		// What it was for is done, and it ends by itself.
		resp.Diagnostics.AddWarning("Cannot revoke the token "+id, "It works until it expires. "+err.Error())
	}
}

// reader is the private data of a token.
type reader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

func (t *token) known(ctx context.Context, private reader, diags *diag.Diagnostics) (string, bool) {
	if !t.data.Ready(diags) {
		return "", false
	}
	note, problems := private.GetKey(ctx, privateKey)
	diags.Append(problems...)
	var k kept
	if err := json.Unmarshal(note, &k); err != nil || k.ID == "" {
		diags.AddError("Unknown token", "What Terraform keeps of the token does not name it. This is a bug in the provider: please report it.")
		return "", false
	}
	return k.ID, true
}

// addError reports what the control plane answered.
func addError(diags *diag.Diagnostics, summary string, err error) {
	answer, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
		diags.AddError(summary, "The control plane cannot be reached: "+err.Error())
	case len(answer.FieldViolations) > 0:
		for _, violation := range answer.FieldViolations {
			diags.AddAttributeError(path.Root(violation.Path), summary, violation.Path+": "+violation.Detail+"\n\nFix: "+violation.Fix)
		}
	case answer.Code == client.CodeFailedPrecondition:
		diags.AddError(summary, answer.Detail)
	default:
		diags.AddError(summary, answer.Error())
	}
}

func isSet(s types.String) bool { return !s.IsNull() && !s.IsUnknown() }
