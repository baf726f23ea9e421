# Every metric that PromQL computes, with and without smoothing and with an empty bin.

drift_monitor "kl" {
  model    = "metrics"
  name     = "kl"
  feature  = "score"
  metric   = "kl"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0.1, 0.3, 0.4, 0.2], smoothing = "epsilon" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "kl" {
  model  = "metrics"
  name   = "kl"
  signal = drift_monitor.kl.signal
  value  = 0.05
  owner  = "risk-ml"
}

drift_monitor "kl_reverse" {
  model    = "metrics"
  name     = "kl_reverse"
  feature  = "score"
  metric   = "kl_reverse"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0.1, 0.3, 0.4, 0.2], smoothing = "jeffreys" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "kl_reverse" {
  model  = "metrics"
  name   = "kl_reverse"
  signal = drift_monitor.kl_reverse.signal
  value  = 0.05
  owner  = "risk-ml"
}

drift_monitor "js" {
  model    = "metrics"
  name     = "js"
  feature  = "score"
  metric   = "js"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0, 0.3, 0.5, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "js" {
  model  = "metrics"
  name   = "js"
  signal = drift_monitor.js.signal
  value  = 0.02
  owner  = "risk-ml"
}

drift_monitor "js_distance" {
  model    = "metrics"
  name     = "js_distance"
  feature  = "score"
  metric   = "js_distance"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0.1, 0.3, 0.4, 0.2], smoothing = "epsilon" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "js_distance" {
  model  = "metrics"
  name   = "js_distance"
  signal = drift_monitor.js_distance.signal
  value  = 0.15
  owner  = "risk-ml"
}

drift_monitor "js_distance_base2" {
  model    = "metrics"
  name     = "js_distance_base2"
  feature  = "score"
  metric   = "js_distance_base2"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0.1, 0.3, 0.4, 0.2], smoothing = "jeffreys" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "js_distance_base2" {
  model  = "metrics"
  name   = "js_distance_base2"
  signal = drift_monitor.js_distance_base2.signal
  value  = 0.18
  owner  = "risk-ml"
}

drift_monitor "hellinger" {
  model    = "metrics"
  name     = "hellinger"
  feature  = "score"
  metric   = "hellinger"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0, 0.3, 0.5, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "hellinger" {
  model  = "metrics"
  name   = "hellinger"
  signal = drift_monitor.hellinger.signal
  value  = 0.15
  owner  = "risk-ml"
}

drift_monitor "total_variation" {
  model    = "metrics"
  name     = "total_variation"
  feature  = "score"
  metric   = "total_variation"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0, 0.3, 0.5, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "total_variation" {
  model  = "metrics"
  name   = "total_variation"
  signal = drift_monitor.total_variation.signal
  value  = 0.17
  owner  = "risk-ml"
}

drift_monitor "l_infinity" {
  model    = "metrics"
  name     = "l_infinity"
  feature  = "score"
  metric   = "l_infinity"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0, 0.3, 0.5, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "l_infinity" {
  model  = "metrics"
  name   = "l_infinity"
  signal = drift_monitor.l_infinity.signal
  value  = 0.12
  owner  = "risk-ml"
}

drift_monitor "pearson" {
  model    = "metrics"
  name     = "pearson"
  feature  = "score"
  metric   = "pearson"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0.1, 0.3, 0.4, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "pearson" {
  model  = "metrics"
  name   = "pearson"
  signal = drift_monitor.pearson.signal
  value  = 0.2
  owner  = "risk-ml"
}

drift_monitor "chi2" {
  model    = "metrics"
  name     = "chi2"
  feature  = "score"
  metric   = "chi2"
  baseline = { name = "b", bins = 4, samples = 2000, edges = [0.2, 0.5, 0.9], shares = [0, 0.3, 0.5, 0.2], smoothing = "none" }
  window   = { duration = "15m", samples = 500 }
  schedule = { every = "15m" }
}

alert_threshold "chi2" {
  model  = "metrics"
  name   = "chi2"
  signal = drift_monitor.chi2.signal
  value  = 30
  owner  = "risk-ml"
}
