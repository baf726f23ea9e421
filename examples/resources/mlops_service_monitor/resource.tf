resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

resource "mlops_service_monitor" "p99" {
  model          = mlops_registered_model.fraud.name
  name           = "p99"
  metric         = "latency" # in seconds, as baseline_value
  quantile       = 0.99
  baseline_value = 0.25
  log_std_dev    = 0.5 # or baseline = mlops_baseline.latency.profile
  window         = { duration = "10m", requests_per_second = 10 }
  schedule       = { every = "10m" }
  sensitivity    = { change = 0.1 }
}

resource "mlops_alert_threshold" "p99" {
  model       = mlops_registered_model.fraud.name
  name        = "p99"
  signal      = mlops_service_monitor.p99.signal
  operator    = ">"
  value       = 0.3
  owner       = "risk-ml"
  runbook_url = "https://runbooks.example.com/p99"
}

resource "mlops_service_monitor" "errors" {
  model          = mlops_registered_model.fraud.name
  name           = "errors"
  metric         = "error_rate"
  baseline_value = 0.005
  window         = { duration = "10m", requests_per_second = 10 }
  schedule       = { every = "10m" }
}

output "support" {
  value = "A p99 needs ${mlops_service_monitor.p99.evaluation.required_samples} requests; a window has ${mlops_service_monitor.p99.evaluation.samples}."
}
