resource "mlops_registered_model" "fraud" {
  name                 = "fraud_detector"
  description          = "Scores card payments."
  owner                = "risk-ml"
  risk                 = "high"
  false_alarms_per_30d = 10
  tags                 = { domain = "payments" }
}
