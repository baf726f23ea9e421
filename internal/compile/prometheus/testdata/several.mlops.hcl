# Two monitors of one feature with other bins, two alerts on one of them, a third
# monitor of another feature, and two models.
locals {
  fine   = { name = "fine", bins = 4, samples = 4000, edges = [1, 2.5, 1e6], shares = [0.1, 0.4, 0.4, 0.1] }
  coarse = { name = "coarse", bins = 2, samples = 4000, edges = [2], shares = [0.3, 0.7] }
}

drift_monitor "amount" {
  model    = "fraud"
  name     = "amount"
  feature  = "amount"
  metric   = "psi"
  baseline = merge(local.fine, { smoothing = "jeffreys" })
  window   = { duration = "1h30m", requests_per_second = 0.5 }
  schedule = { every = "5m" }
}

drift_monitor "coarse" {
  model    = "fraud"
  name     = "amount-coarse"
  feature  = "amount"
  metric   = "psi"
  baseline = merge(local.coarse, { smoothing = "laplace" })
  window   = { duration = "17m", samples = 900 }
  schedule = { every = "90s" }
}

drift_monitor "age" {
  model    = "fraud"
  name     = "age"
  feature  = "customer_age"
  metric   = "psi"
  baseline = { name = "age", bins = 3, samples = 900, edges = [-1, 40], smoothing = "none" }
  window   = { duration = "2h", samples = 600 }
  schedule = { every = "30m" }
}

# The same in everything but its name and feature.
drift_monitor "balance" {
  model    = "fraud"
  name     = "balance"
  feature  = "balance"
  metric   = "psi"
  baseline = { name = "age", bins = 3, samples = 900, edges = [-1, 40], smoothing = "none" }
  window   = { duration = "2h", samples = 600 }
  schedule = { every = "30m" }
}

drift_monitor "other" {
  model    = "Fraud"
  name     = "age"
  feature  = "customer_age"
  metric   = "psi"
  baseline = { name = "age", bins = 3, samples = 900, edges = [-1, 40] }
  window   = { duration = "20m", samples = 600 }
  schedule = { every = "20m" }
}

alert_threshold "ticket" {
  model    = "fraud"
  name     = "amount-ticket"
  signal   = drift_monitor.amount.signal
  value    = 0.1
  for      = "12m"
  owner    = "risk"
}

alert_threshold "page" {
  model    = "fraud"
  name     = "amount-page"
  signal   = drift_monitor.amount.signal
  operator = ">="
  value    = 0.3
  severity = "page"
  owner    = "platform"
}

alert_threshold "age" {
  model  = "fraud"
  name   = "age"
  signal = drift_monitor.age.signal
  value  = 0.2
  for    = "45m"
}
