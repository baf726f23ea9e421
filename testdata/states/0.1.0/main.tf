# One object of every kind at least, with most of what each can declare.
terraform {
  required_providers {
    mlops = {
      source = "mlops-as-code/mlops"
    }
  }
}

variable "ticket_token" {
  type      = string
  ephemeral = true
  default   = "of no use to anybody"
}

resource "mlops_registered_model" "fraud" {
  name                 = "fraud_detector"
  description          = "Scores card payments."
  owner                = "risk-ml"
  risk                 = "medium"
  false_alarms_per_30d = 40
  tags                 = { domain = "payments", team = "risk" }
  deletion_policy      = "delete"
}

resource "mlops_registered_model" "bare" {
  name            = "bare"
  deletion_policy = "delete"
}

resource "mlops_model_version" "first" {
  model           = mlops_registered_model.fraud.name
  source          = "s3://models/fraud/1?versionId=a"
  deletion_policy = "delete"
}

resource "mlops_model_version" "second" {
  model       = mlops_registered_model.fraud.name
  source      = "s3://models/fraud/2?versionId=b"
  run_id      = "0f3c5b"
  digest      = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  description = "With the features of the new terminals."
  metrics     = { roc_auc = 0.931, recall = 0.84 }
  tags        = { data = "2026-10" }
  gates = [
    { metric = "roc_auc", minimum = 0.92, test_samples = 40000, prevalence = 0.05 },
    { metric = "recall", minimum = 0.8, test_samples = 40000, prevalence = 0.05 },
  ]
  deletion_policy = "delete"
  depends_on      = [mlops_model_version.first]
}

resource "mlops_model_alias" "champion" {
  model   = mlops_registered_model.fraud.name
  alias   = "champion"
  version = mlops_model_version.second.version
  reason  = "Won the canary of 12 June"
}

resource "mlops_baseline" "score" {
  model   = mlops_registered_model.fraud.name
  name    = "score"
  file    = { path = "${path.module}/train.csv", column = "score" }
  binning = { method = "quantile", bins = 5, smoothing = "epsilon", epsilon = 1e-6 }
}

resource "mlops_baseline" "columns" {
  model = mlops_registered_model.fraud.name
  name  = "columns"
  file  = { path = "${path.module}/train.csv", columns = ["score", "amount"] }
}

resource "mlops_baseline" "country" {
  model = mlops_registered_model.fraud.name
  name  = "country"
  bins = [
    { category = "DE", count = 5200 },
    { category = "FR", count = 3100 },
    { category = "other", count = 1700 },
  ]
}

resource "mlops_baseline" "typical" {
  model = mlops_registered_model.fraud.name
  name  = "typical"
  bins  = [{ upper = 0.25, count = 500 }, { upper = 0.5, count = 500 }, { upper = 0.75, count = 500 }, { count = 500 }]
}

resource "mlops_drift_monitor" "score" {
  model       = mlops_registered_model.fraud.name
  name        = "score"
  feature     = "score"
  metric      = "psi"
  baseline    = mlops_baseline.typical.profile
  window      = { duration = "1h", samples = 1000 }
  schedule    = { every = "1h" }
  sensitivity = { shift_sd = 0.5, power = 0.8 }
}

resource "mlops_drift_monitor" "country" {
  model    = mlops_registered_model.fraud.name
  name     = "country"
  feature  = "country"
  metric   = "js_distance"
  baseline = mlops_baseline.country.profile
  window   = { duration = "1d", requests_per_second = 0.1, design_effect = 2 }
  schedule = { every = "1d" }
}

resource "mlops_drift_monitor" "amount" {
  model    = mlops_registered_model.fraud.name
  name     = "amount"
  feature  = "amount"
  metric   = "psi"
  engine   = "evidently"
  baseline = { name = "amount", bins = 10, samples = 1000 }
  window   = { duration = "1h", samples = 1000 }
  schedule = { every = "1h" }
}

resource "mlops_performance_monitor" "auc" {
  model          = mlops_registered_model.fraud.name
  name           = "auc"
  metric         = "auc"
  baseline_value = 0.9
  tolerance      = 0.04
  prevalence     = 0.1
  labels         = { delay = "48h", requests_per_second = 0.05, labelled_share = 0.2 }
  window         = { duration = "7d" }
  schedule       = { every = "1d" }
  sensitivity    = { change = 0.06, power = 0.8 }
}

resource "mlops_service_monitor" "p99" {
  model          = mlops_registered_model.fraud.name
  name           = "p99"
  metric         = "latency"
  quantile       = 0.99
  baseline_value = 0.25
  log_std_dev    = 0.5
  window         = { duration = "10m", requests_per_second = 10 }
  schedule       = { every = "10m" }
  sensitivity    = { change = 0.1 }
}

resource "mlops_notification_channel" "tickets" {
  name = "tickets"
  webhook = {
    url               = "https://tickets.example.com/hooks/mlops"
    secret_wo         = var.ticket_token
    secret_wo_version = 1
  }
  severities = ["ticket", "info"]
}

resource "mlops_notification_channel" "on_call" {
  name         = "on-call"
  alertmanager = { url = "https://alertmanager.example.com" }
  severities   = ["page"]
}

resource "mlops_alert_threshold" "score" {
  model                = mlops_registered_model.fraud.name
  name                 = "score"
  signal               = mlops_drift_monitor.score.signal
  operator             = ">"
  value                = 0.1
  severity             = "ticket"
  owner                = "risk-ml"
  runbook_url          = "https://runbooks.example.com/score"
  false_alarms_per_30d = 1
  channels             = [mlops_notification_channel.tickets.name]
}

resource "mlops_alert_threshold" "auc" {
  model       = mlops_registered_model.fraud.name
  name        = "auc"
  signal      = mlops_performance_monitor.auc.signal
  operator    = "<"
  value       = 0.86
  severity    = "info"
  owner       = "risk-ml"
  runbook_url = "https://runbooks.example.com/auc"
}

resource "mlops_alert_threshold" "p99" {
  model       = mlops_registered_model.fraud.name
  name        = "p99"
  signal      = mlops_service_monitor.p99.signal
  operator    = ">"
  value       = 0.3
  for         = "20m"
  severity    = "page"
  runbook_url = "https://runbooks.example.com/p99"
  waivers     = [{ rule = "alert/no-owner", reason = "The rota is being set up.", expires = "9999-12-31" }]
}

resource "mlops_rollout_policy" "canary" {
  model   = mlops_registered_model.fraud.name
  name    = "canary"
  risk    = mlops_registered_model.fraud.risk
  traffic = { requests_per_second = 40 }
  hypothesis = {
    metric = "approval", kind = "proportion", baseline_rate = 0.10
    minimum_detectable_effect = 0.01, significance_level = 0.05, power = 0.8
    alternative = "two_sided", control = "stable", looks = 3, spending = "obrien_fleming"
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "2h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.02, every = "10m", failure_limit = 3, false_abort_budget = 0.05 },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}
