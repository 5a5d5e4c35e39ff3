add_executable(combine_bench
  combine_bench.cc combine_child.cc combine_cohort.cc combine_contenders.cc combine_files.cc combine_recompress.cc
  combine_stock.cc combine_torch.cc resident.cc)
target_link_libraries(combine_bench PRIVATE
  cairn_pipeline cairn_aggregator_testing cairn_torch CLI11::CLI11 absl::str_format)
