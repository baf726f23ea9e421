resource "mlops_registered_model" "fraud" {
  name                 = "fraud_detector"
  false_alarms_per_30d = 2
  deletion_policy      = "delete"
}

resource "mlops_drift_monitor" "feature" {
  for_each = toset(["age", "amount", "country"])
  model    = mlops_registered_model.fraud.name
  name     = each.key
  feature  = each.key
  metric   = "psi"
  baseline = { name = each.key, bins = 10, samples = 1000 }
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

resource "mlops_alert_threshold" "feature" {
  for_each    = mlops_drift_monitor.feature
  model       = mlops_registered_model.fraud.name
  name        = each.key
  signal      = each.value.signal
  value       = 0.1
  owner       = "risk-ml"
  runbook_url = "https://runbooks.example.com/${each.key}"
}

# Terraform reads a data source late, at apply, where its arguments refer directly to
# resources that the plan changes. Through local values, it is read in the plan itself.
locals {
  alerts = values(mlops_alert_threshold.feature)
  budget = mlops_registered_model.fraud.false_alarms_per_30d
}

data "mlops_policy_review" "fraud" {
  alerts               = local.alerts
  false_alarms_per_30d = local.budget
}

check "false_alarms_of_all_alerts" {
  assert {
    condition     = data.mlops_policy_review.fraud.within_budget
    error_message = join("\n", [for f in data.mlops_policy_review.fraud.findings : "${f.detail} ${f.fix}"])
  }
}

output "false_alarms_per_30d" {
  value = data.mlops_policy_review.fraud.total
}
