output "samples_per_arm" {
  value = provider::mlops::sample_size_mean(1, 0.2, 0.05, 0.8) # 393
}
