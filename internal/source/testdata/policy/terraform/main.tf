variable "owner" {
  type    = string
  default = "risk-ml"
}

locals {
  runbooks = "https://runbooks.example.com"
}

resource "mlops_registered_model" "fraud" {
  name  = "fraud_detector"
  owner = var.owner
  risk  = "high"
}

resource "mlops_baseline" "score" {
  model   = mlops_registered_model.fraud.name
  name    = "score"
  file    = { path = "${path.module}/train.csv", column = "score" }
  binning = { method = "quantile", bins = 10, smoothing = "epsilon", epsilon = 1e-8 }
}

resource "mlops_drift_monitor" "score" {
  model    = mlops_registered_model.fraud.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = mlops_baseline.score.profile
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

resource "mlops_alert_threshold" "score" {
  model       = mlops_registered_model.fraud.name
  name        = "score-drift"
  signal      = mlops_drift_monitor.score.signal
  operator    = ">"
  value       = 0.1
  for         = "0s"
  severity    = "ticket"
  owner       = var.owner
  runbook_url = "${local.runbooks}/score-drift"

  false_alarms_per_30d = 1
}

resource "mlops_rollout_policy" "canary" {
  model   = mlops_registered_model.fraud.name
  name    = "canary"
  risk    = mlops_registered_model.fraud.risk
  traffic = { requests_per_second = 40 }
  hypothesis = {
    metric = "approval", kind = "proportion", baseline_rate = 0.10
    minimum_detectable_effect = 0.01, significance_level = 0.05, power = 0.8
    alternative = "two_sided", control = "stable", looks = 1, spending = "obrien_fleming"
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "2h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.01, every = "5m", failure_limit = 3, false_abort_budget = 0.05 },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}

resource "mlops_notification_channel" "ops" {
  name         = "ops"
  alertmanager = { url = "https://alertmanager.example.com" }
  severities   = ["page", "ticket"]
}
