output "band" {
  value = provider::mlops::psi_band(0.12) # moderate
}
