// What the handlers of the gateway share. Everything pointed to outlives them.
#pragma once

#include <cstdint>

#include "base/worker_pool.h"
#include "server/gateway/stream_watch.h"
#include "server/metrics/metrics.h"
#include "server/root/root.h"
#include "server/store/store.h"

namespace cairn {

struct GatewayContext {
  Root* root = nullptr;
  Store* store = nullptr;
  Metrics* metrics = nullptr;
  WorkerPool* workers = nullptr;  // For what may block.
  StreamWatch* watch = nullptr;
  std::uint64_t upload_bytes_max = 0;
  bool verify_sha256 = true;  // Otherwise the sender's digest is believed; docs/adr/0007-integrity.md.
  bool mutual_tls = false;
};

}  // namespace cairn
