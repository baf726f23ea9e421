# Names that are code somewhere: PromQL, YAML and Go templates.
drift_monitor "odd" {
  model    = "it's \"quoted\" {{ template }}"
  name     = "$${x} {{ end }}"
  feature  = "tab\tline\nbreak: ünïcödé \\d+ #"
  metric   = "psi"
  baseline = { name = "b", bins = 2, samples = 100, edges = [0] }
  window   = { duration = "1m", samples = 10 }
  schedule = { every = "15s" }
}

alert_threshold "odd" {
  model       = drift_monitor.odd.model
  name        = "{{ .Value }}"
  signal      = drift_monitor.odd.signal
  value       = 0.5
  severity    = "info"
  owner       = "team {{ a"
  runbook_url = "https://example.com/{{x}}?a='b'&c=\"d\""
}
