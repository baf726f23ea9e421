# A window of a month, looked at daily, and one of a day.
drift_monitor "month" {
  model    = "slow"
  name     = "month"
  feature  = "income"
  metric   = "psi"
  baseline = { name = "income", bins = 3, samples = 9000, edges = [1000, 2500.5] }
  window   = { duration = "30d", samples = 3000 }
  schedule = { every = "1d" }
}

alert_threshold "month" {
  model    = "slow"
  name     = "month"
  signal   = drift_monitor.month.signal
  value    = 0.05
  for      = "1d"
}

drift_monitor "day" {
  model    = "daily"
  name     = "day"
  feature  = "income"
  metric   = "psi"
  baseline = { name = "income", bins = 3, samples = 9000, edges = [1000, 2500.5] }
  window   = { duration = "1d", samples = 3000 }
  schedule = { every = "6h" }
}

alert_threshold "day" {
  model    = "daily"
  name     = "day"
  signal   = drift_monitor.day.signal
  value    = 0.05
}
