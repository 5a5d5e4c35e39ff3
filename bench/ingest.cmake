# Spawns the server with the runner's child processes, so it is built with the simulation only.
if(CAIRN_SIMULATION)
  add_executable(ingest_bench
    ingest_bench.cc ingest_memory.cc ingest_payload.cc ingest_server.cc ingest_sink.cc ingest_speed.cc ingest_upload.cc
    resident.cc)
  target_link_libraries(ingest_bench PRIVATE cairn_aggregator_testing cairn_sdk cairn_simulation CLI11::CLI11)
  add_dependencies(ingest_bench cairn)
endif()
