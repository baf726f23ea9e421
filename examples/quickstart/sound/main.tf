# The same policy, corrected with what the plan of ../naive printed: the monitor
# looks at six hours instead of one, the canary lasts five.

terraform {
  required_providers {
    mlops = {
      source = "mlops-as-code/mlops"
    }
  }
}

provider "mlops" {}

# A model that estimates the damage of a bird strike, from records like those of
# the FAA. Its most important feature is the aircraft's speed.
resource "mlops_registered_model" "damage" {
  name            = "bird_strike_damage"
  owner           = "airport-safety"
  risk            = "medium"
  deletion_policy = "delete"
}

resource "mlops_baseline" "speed" {
  model = mlops_registered_model.damage.name
  name  = "speed"
  file = {
    path   = "${path.module}/../data/birdstrikes.csv"
    column = "Speed IAS in knots"
  }
  # Pilots report round numbers, so that deciles would fall on the same value: the
  # edges are chosen by hand.
  binning = {
    method = "explicit"
    edges  = [105, 125, 135, 140, 145, 155, 170, 190, 220]
  }
}

resource "mlops_drift_monitor" "speed" {
  model    = mlops_registered_model.damage.name
  name     = "speed"
  feature  = "speed"
  metric   = "psi"
  baseline = mlops_baseline.speed.profile
  # Six times the hours, six times the values: the traffic is what it is.
  window   = { duration = "6h", samples = 600 }
  schedule = { every = "1h" }
  # What an alert on this monitor must be able to see.
  sensitivity = { shift_sd = 0.5, power = 0.8 }
}

# On 600 values, 0.1 is above the noise and still below the drift that matters.
resource "mlops_alert_threshold" "speed" {
  model                = mlops_registered_model.damage.name
  name                 = "speed-drift"
  signal               = mlops_drift_monitor.speed.signal
  operator             = ">"
  value                = 0.1
  severity             = "ticket"
  owner                = "airport-safety"
  runbook_url          = "https://runbooks.example.com/speed-drift"
  false_alarms_per_30d = 1
}

resource "mlops_registered_model" "fraud" {
  name            = "fraud_detector"
  owner           = "risk-ml"
  risk            = "high"
  deletion_policy = "delete"
}

# Five hours at 5 % collect 9,000 requests: enough to see one percentage point.
resource "mlops_rollout_policy" "canary" {
  model   = mlops_registered_model.fraud.name
  name    = "canary"
  risk    = mlops_registered_model.fraud.risk
  traffic = { requests_per_second = 10 }
  hypothesis = {
    metric                    = "approval"
    kind                      = "proportion"
    baseline_rate             = 0.10
    minimum_detectable_effect = 0.01
  }
  stages = [
    { name = "shadow", kind = "shadow", traffic_percent = 100, duration = "24h" },
    { name = "canary", kind = "canary", traffic_percent = 5, duration = "5h" },
    { name = "full", kind = "full", traffic_percent = 100 },
  ]
  guardrails = [
    { name = "errors", metric = "error_rate", baseline_rate = 0.005, maximum = 0.02, every = "10m" },
  ]
  rollback = { automatic = true, keep_versions = 2 }
}
