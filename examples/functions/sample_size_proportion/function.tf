output "samples_per_arm" {
  value = provider::mlops::sample_size_proportion(0.10, 0.01, 0.05, 0.8) # 14752
}
