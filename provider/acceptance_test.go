package provider_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/provider"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// The whole life of a policy in the ecosystem's own test harness, which refreshes
// and plans again after every step and fails unless that plan is empty. What a user
// sees of the command line is tested by the scripts at the root.
func TestAccPolicy(t *testing.T) {
	testtools.Require(t, testtools.Terraform)
	file := filepath.Join(t.TempDir(), "mlops.db")
	monitor, alert := "mlops_drift_monitor.score", "mlops_alert_threshold.score"
	figures := tfjsonpath.New(spec.AttributeEvaluation)

	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"mlops": providerserver.NewProtocol6WithError(provider.New("test", nil)()),
		},
		CheckDestroy: func(*terraform.State) error { return nothingIsKept(file) },
		Steps: []resource.TestStep{
			{
				Config: policy(file, `owner = "risk-ml"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					// Everything that consumers and reviewers need is known before apply.
					plancheck.ExpectKnownValue(monitor, tfjsonpath.New("signal").AtMapKey("effective_samples"), knownvalue.Int64Exact(500)),
					plancheck.ExpectKnownValue(monitor, figures.AtMapKey("samples_per_bin"), knownvalue.Int64Exact(50)),
					plancheck.ExpectKnownValue(alert, figures.AtMapKey("power"), knownvalue.Float64Exact(0.9999)),
					plancheck.ExpectKnownValue(alert, tfjsonpath.New(spec.AttributeID), knownvalue.StringExact("fraud/score-drift")),
					plancheck.ExpectUnknownValue(alert, tfjsonpath.New(spec.AttributeUID)),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(alert, tfjsonpath.New(spec.AttributeUID), knownvalue.NotNull()),
					statecheck.ExpectKnownValue(alert, tfjsonpath.New("for"), knownvalue.StringExact("0s")),
				},
			},
			{
				Config: policy(file, `owner = "payments-ml"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(alert, plancheck.ResourceActionUpdate),
					plancheck.ExpectResourceAction(monitor, plancheck.ResourceActionNoop),
				}},
			},
			{ResourceName: alert, ImportState: true, ImportStateId: "fraud/score-drift", ImportStateVerify: true},
			{ResourceName: monitor, ImportState: true, ImportStateId: "fraud/score", ImportStateVerify: true},
			{ResourceName: "mlops_registered_model.fraud", ImportState: true, ImportStateId: "fraud", ImportStateVerify: true},
		},
	})
}

func policy(file, owner string) string {
	return fmt.Sprintf(`
provider "mlops" {
  path = %q
}

resource "mlops_registered_model" "fraud" {
  name            = "fraud"
  deletion_policy = "delete"
}

resource "mlops_drift_monitor" "score" {
  model    = mlops_registered_model.fraud.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = { name = "score", bins = 10, samples = 1000 }
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

resource "mlops_alert_threshold" "score" {
  model       = mlops_registered_model.fraud.name
  name        = "score-drift"
  signal      = mlops_drift_monitor.score.signal
  value       = 0.1
  runbook_url = "https://runbooks.example.com/score-drift"
  %s
}
`, file, owner)
}

func nothingIsKept(file string) error {
	handler, closer, err := controlplane.OpenEmbedded(file, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	for _, kind := range spec.All() {
		for object, err := range client.NewEmbedded(handler).List(context.Background(), kind.Name) {
			if err != nil {
				return err
			}
			return fmt.Errorf("%s %s is kept after destroy", object.Kind, object.ID)
		}
	}
	return nil
}
