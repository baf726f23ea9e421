resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
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

resource "mlops_alert_threshold" "auc" {
  model                = mlops_registered_model.fraud.name
  name                 = "auc"
  signal               = mlops_performance_monitor.auc.signal
  operator             = "<"
  value                = 0.86
  owner                = "risk-ml"
  runbook_url          = "https://runbooks.example.com/auc"
  false_alarms_per_30d = 1
}

output "noise" {
  value = "A model as good as ever measures below ${mlops_performance_monitor.auc.evaluation.noise_p01} in one window of a hundred."
}
