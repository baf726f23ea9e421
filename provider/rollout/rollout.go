// Package rollout has the resources that bring a new version of a model to its
// users.
package rollout

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
)

// Resources lists the constructors of the family's resources.
func Resources() []func() resource.Resource {
	return envelope.Family("rollout", nil)
}
