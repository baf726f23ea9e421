data "mlops_alert_threshold" "score" {
  model = "fraud_detector"
  name  = "score-drift"
}

output "false_alarms_per_30d" {
  value = data.mlops_alert_threshold.score.evaluation.false_alarms_per_30d
}
