data "mlops_performance_monitor" "auc" {
  model = "fraud_detector"
  name  = "auc"
}

output "signal" {
  value = data.mlops_performance_monitor.auc.signal
}
