# Equal shares, epsilon smoothing, hourly: the policy of the documentation.
registered_model "fraud" {
  name = "fraud_detector"
}

drift_monitor "score" {
  model    = registered_model.fraud.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = { name = "score", bins = 10, samples = 1000, edges = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] }
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

alert_threshold "score" {
  model       = registered_model.fraud.name
  name        = "score-drift"
  signal      = drift_monitor.score.signal
  value       = 0.1
  owner       = "risk-ml"
  runbook_url = "https://runbooks.example.com/score-drift"
}
