resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

resource "mlops_drift_monitor" "score" {
  model       = mlops_registered_model.fraud.name
  name        = "score"
  feature     = "score"
  metric      = "psi"
  baseline    = { name = "score", bins = 10, samples = 1000 }
  window      = { duration = "1h", samples = 500 }
  schedule    = { every = "1h" }
  sensitivity = { shift_sd = 0.5, power = 0.8 }
}

resource "mlops_alert_threshold" "score" {
  model                = mlops_registered_model.fraud.name
  name                 = "score-drift"
  signal               = mlops_drift_monitor.score.signal
  operator             = ">"
  value                = 0.1
  severity             = "ticket"
  owner                = "risk-ml"
  runbook_url          = "https://runbooks.example.com/score-drift"
  false_alarms_per_30d = 1
}
