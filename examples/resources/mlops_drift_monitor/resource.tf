resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

resource "mlops_drift_monitor" "score" {
  model    = mlops_registered_model.fraud.name
  name     = "score"
  feature  = "score"
  metric   = "psi"
  baseline = { name = "score", bins = 10, samples = 1000 } # usually mlops_baseline.score.profile
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

output "noise" {
  value = "On no drift, one window in a thousand passes ${mlops_drift_monitor.score.evaluation.noise_p999}."
}
