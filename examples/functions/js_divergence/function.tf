output "divergence" {
  value = provider::mlops::js_divergence([0.36, 0.48, 0.16], [0.3, 0.4, 0.3])
}
