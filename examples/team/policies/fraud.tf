resource "mlops_registered_model" "fraud" {
  name                 = "fraud_detector"
  owner                = "risk-ml"
  risk                 = "high"
  deletion_policy      = "delete"
  false_alarms_per_30d = 2
}

# What `mlopsctl profile` printed of the training data: it does not leave the machine
# that has it.
resource "mlops_baseline" "country" {
  model = mlops_registered_model.fraud.name
  name  = "country"
  bins = [
    { category = "DE", count = 52000 },
    { category = "FR", count = 31000 },
    { category = "PL", count = 9000 },
    { category = "other", count = 8000 },
  ]
}

resource "mlops_drift_monitor" "country" {
  model    = mlops_registered_model.fraud.name
  name     = "country"
  feature  = "country"
  metric   = "psi"
  baseline = mlops_baseline.country.profile
  window   = { duration = "24h", samples = 20000 }
  schedule = { every = "24h" }
}

resource "mlops_alert_threshold" "country" {
  model                = mlops_registered_model.fraud.name
  name                 = "country-drift"
  signal               = mlops_drift_monitor.country.signal
  operator             = ">"
  value                = 0.01
  severity             = "ticket"
  owner                = "risk-ml"
  runbook_url          = "https://runbooks.example.com/country-drift"
  false_alarms_per_30d = 1
  channels             = [mlops_notification_channel.tickets.name]
}

resource "mlops_rollout_policy" "canary" {
  model   = mlops_registered_model.fraud.name
  name    = "canary"
  risk    = mlops_registered_model.fraud.risk
  traffic = { requests_per_second = 40 }
  hypothesis = {
    metric                    = "approval"
    kind                      = "proportion"
    baseline_rate             = 0.10
    minimum_detectable_effect = 0.01
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "2h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.01, every = "5m", failure_limit = 3 },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}
