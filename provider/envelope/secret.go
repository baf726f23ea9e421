package envelope

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// withSecrets is the object with those secrets whose version the plan changes. Terraform
// has them in the configuration alone: they are in no plan and in no state, so that
// nothing but their version tells that they have changed. It is false where a new
// version comes without its secret.
func (r *Resource) withSecrets(diags *diag.Diagnostics, planned cty.Value, config tftypes.Value, prior cty.Value) (cty.Value, bool) {
	planned = r.kind.WithoutSecrets(planned)
	secrets := r.kind.Secrets(planned)
	if len(secrets) == 0 {
		return planned, true
	}
	declared, ok := r.read(diags, config)
	if !ok {
		return planned, false
	}
	given, before := byName(r.kind.Secrets(declared)), byName(r.kind.Secrets(prior))
	for _, secret := range secrets {
		if secret.Version == "" || secret.Version == before[secret.Name].Version {
			continue
		}
		switch now := given[secret.Name]; {
		case now.Unknown: // known at apply, when this is asked again
		case now.Value != "":
			planned = r.kind.WithSecret(planned, secret.Name, now.Value)
		default:
			ok = false
			diags.AddAttributeError(topLevel(secret.Path), "A version without its secret: "+describe(r.kind, planned), fmt.Sprintf(
				"%s: the plan declares version %s of it, and the configuration has no value. Nothing else keeps it: it is in no state.\n\nFix: set %s, for instance from an ephemeral variable, or remove its version.",
				secret.Name, secret.Version, secret.Name))
		}
	}
	return planned, ok
}

func byName(secrets []spec.Secret) map[string]spec.Secret {
	out := map[string]spec.Secret{}
	for _, secret := range secrets {
		out[secret.Name] = secret
	}
	return out
}
