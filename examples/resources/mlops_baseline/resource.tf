resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

# From a data file: resources below take the profile.
resource "mlops_baseline" "score" {
  model   = mlops_registered_model.fraud.name
  name    = "score"
  file    = { path = "${path.module}/train.csv", column = "score" }
  binning = { method = "quantile", bins = 5 }
}

# From a distribution that is known already.
resource "mlops_baseline" "country" {
  model = mlops_registered_model.fraud.name
  name  = "country"
  bins = [
    { category = "DE", count = 5200 },
    { category = "FR", count = 3100 },
    { category = "other", count = 1700 },
  ]
}

output "score_edges" {
  value = mlops_baseline.score.profile.edges
}
