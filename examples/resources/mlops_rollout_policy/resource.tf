resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
  risk = "high"
}

resource "mlops_rollout_policy" "canary" {
  model   = mlops_registered_model.fraud.name
  name    = "canary"
  risk    = mlops_registered_model.fraud.risk
  traffic = { requests_per_second = 40 }
  hypothesis = {
    metric                    = "approval"
    kind                      = "proportion"
    baseline_rate             = 0.10
    minimum_detectable_effect = 0.01
    significance_level        = 0.05
    power                     = 0.8
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "2h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.01, every = "5m", failure_limit = 3 },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}
