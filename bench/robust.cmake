add_executable(robust_bench
  resident.cc robust_bench.cc robust_cairn.cc robust_columns.cc robust_dense.cc robust_factors.cc robust_floor.cc
  robust_jobs.cc robust_literal.cc robust_literal_flag.cc robust_literal_steps.cc)
target_link_libraries(robust_bench PRIVATE
  cairn_pipeline cairn_aggregator_testing cairn_torch CLI11::CLI11 absl::str_format)
