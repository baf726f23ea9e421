data "mlops_service_monitor" "p99" {
  model = "fraud_detector"
  name  = "p99"
}

output "signal" {
  value = data.mlops_service_monitor.p99.signal
}
