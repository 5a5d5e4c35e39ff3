# Spawns its processes as the simulation's runner does, so it is built with the simulation only.
if(CAIRN_SIMULATION)
  add_executable(hierarchy_bench
    hierarchy_agent.cc hierarchy_axpy.cc hierarchy_batches.cc hierarchy_bench.cc hierarchy_channel.cc hierarchy_clients.cc
    hierarchy_contender.cc hierarchy_crowd.cc hierarchy_goals.cc hierarchy_grpc.cc hierarchy_memory.cc
    hierarchy_options.cc hierarchy_order.cc hierarchy_payload.cc hierarchy_reducer.cc hierarchy_redis.cc
    hierarchy_redis_client.cc hierarchy_roles.cc hierarchy_samples.cc hierarchy_served.cc hierarchy_server.cc
    hierarchy_server_memory.cc hierarchy_server_steps.cc hierarchy_shared.cc hierarchy_slab.cc hierarchy_sockets.cc
    hierarchy_speed.cc hierarchy_steps.cc hierarchy_unix.cc ingest_payload.cc ingest_server.cc ingest_upload.cc resident.cc
    ${CMAKE_SOURCE_DIR}/tests/integration/remote.cc)
  target_link_libraries(hierarchy_bench PRIVATE
    cairn_aggregator_testing cairn_config cairn_pipeline cairn_proto cairn_sdk cairn_shared_store cairn_simulation
    CLI11::CLI11 absl::str_format)
  add_dependencies(hierarchy_bench cairn)
  # GCC vectorises this loop at -O3 only.
  set_source_files_properties(hierarchy_axpy.cc PROPERTIES
    COMPILE_OPTIONS "$<$<CONFIG:Release,RelWithDebInfo>:-O3>")
  # Everything but redis-server has to be there.
  add_test(NAME hierarchy_bench_works COMMAND hierarchy_bench --quick)
  set_tests_properties(hierarchy_bench_works PROPERTIES TIMEOUT 120)
endif()
