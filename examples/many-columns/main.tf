# One baseline for many columns of a data file, and a data drift monitor with its
# alert for each of them. The file is read once.

terraform {
  required_providers {
    mlops = {
      source = "mlops-as-code/mlops"
    }
  }
}

resource "mlops_registered_model" "churn" {
  name            = "churn"
  deletion_policy = "delete"
}

resource "mlops_baseline" "features" {
  model   = mlops_registered_model.churn.name
  name    = "features"
  file    = { path = "${path.module}/train.csv", columns = ["age", "amount", "tenure_days"] }
  binning = { bins = 5 }
}

# The profiles are known when the plan is made, and so are the monitors' names.
resource "mlops_drift_monitor" "feature" {
  for_each = mlops_baseline.features.profiles

  model    = mlops_registered_model.churn.name
  name     = each.key
  feature  = each.key
  metric   = "psi"
  baseline = each.value
  window   = { duration = "1d", samples = 600 }
  schedule = { every = "1d" }
}

resource "mlops_alert_threshold" "feature" {
  for_each = mlops_drift_monitor.feature

  model       = mlops_registered_model.churn.name
  name        = "${each.key}-drift"
  signal      = each.value.signal
  operator    = ">"
  value       = 0.1
  severity    = "ticket"
  owner       = "risk-ml"
  runbook_url = "https://runbooks.example.com/feature-drift"
}
