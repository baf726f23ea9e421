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

# Of the values themselves, as scipy.stats.ks_2samp has it.
resource "mlops_drift_monitor" "amount" {
  model    = mlops_registered_model.fraud.name
  name     = "amount"
  feature  = "amount"
  metric   = "ks"
  baseline = { name = "amount", bins = 10, samples = 1000 }
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

# The same index as Evidently computes it, over bins of its own: its noise is another.
resource "mlops_drift_monitor" "score_by_evidently" {
  model    = mlops_registered_model.fraud.name
  name     = "score-by-evidently"
  feature  = "score"
  metric   = "psi"
  engine   = "evidently"
  baseline = { name = "score", bins = 10, samples = 1000 }
  window   = { duration = "1h", samples = 500 }
  schedule = { every = "1h" }
}

output "noise" {
  value = "On no drift, one window in a thousand passes ${mlops_drift_monitor.score.evaluation.noise_p999}."
}
