// Package monitoring has the resources that watch a model: baselines, monitors
// and alert thresholds.
package monitoring

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
)

// Resources lists the constructors of the family's resources.
func Resources() []func() resource.Resource {
	return envelope.Family("monitoring", nil)
}
