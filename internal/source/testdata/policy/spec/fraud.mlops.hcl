variable "owner" {
  type    = string
  default = "risk-ml"
}

locals {
  runbooks = "https://runbooks.example.com"
}

registered_model "fraud" {
  name  = "fraud_detector"
  owner = var.owner
  risk  = "high"
}

baseline "score" {
  model   = registered_model.fraud.name
  name    = "score"
  file    = { path = "${path.module}/train.csv", column = "score" }
  binning = { method = "quantile", bins = 10, smoothing = "epsilon", epsilon = 1e-8 }
}

drift_monitor "score" {
  model    = registered_model.fraud.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = baseline.score.profile
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

alert_threshold "score" {
  model       = registered_model.fraud.name
  name        = "score-drift"
  signal      = drift_monitor.score.signal
  operator    = ">"
  value       = 0.1
  for         = "0s"
  severity    = "ticket"
  owner       = var.owner
  runbook_url = "${local.runbooks}/score-drift"

  false_alarms_per_30d = 1
}

performance_monitor "auc" {
  model          = registered_model.fraud.name
  name           = "auc"
  metric         = "auc"
  baseline_value = 0.9
  tolerance      = 0.04
  prevalence     = 0.1
  labels         = { delay = "48h", requests_per_second = 0.05, labelled_share = 0.2 }
  window         = { duration = "7d" }
  schedule       = { every = "1d" }
  sensitivity    = { change = 0.06 }
}

service_monitor "p99" {
  model          = registered_model.fraud.name
  name           = "p99"
  metric         = "latency"
  quantile       = 0.99
  baseline_value = 0.25
  log_std_dev    = 0.5
  window         = { duration = "10m", requests_per_second = 10 }
  schedule       = { every = "10m" }
}

rollout_policy "canary" {
  model   = registered_model.fraud.name
  name    = "canary"
  risk    = registered_model.fraud.risk
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

model_version "current" {
  model   = registered_model.fraud.name
  source  = "s3://models/fraud/7?versionId=3HL4kqtJlcpXroDTDmJ"
  metrics = { roc_auc = 0.93 }
  gates   = [{ metric = "roc_auc", minimum = 0.92, test_samples = 40000, prevalence = 0.05 }]
}

model_alias "champion" {
  model   = registered_model.fraud.name
  alias   = "champion"
  version = model_version.current.version
  reason  = "Won the canary"
}

notification_channel "ops" {
  name         = "ops"
  alertmanager = { url = "https://alertmanager.example.com" }
  severities   = ["page", "ticket"]
}
