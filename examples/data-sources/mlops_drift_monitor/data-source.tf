data "mlops_drift_monitor" "score" {
  model = "fraud_detector"
  name  = "score"
}

output "signal" {
  value = data.mlops_drift_monitor.score.signal
}
