// The clients of a real server: as many as one likes, over a fixed number of connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/ingest_payload.h"
#include "bench/ingest_upload.h"

namespace cairn::bench {

class Crowd {
 public:
  // Joins `clients` clients, which takes one connection for each of `lines`. REQUIRES: a payload for each client.
  static absl::StatusOr<Crowd> Join(const std::string& address, const std::string& federation, const Payloads& payloads,
                                    int clients, int lines);

  struct Round {
    double seconds = 0;          // From the first push until the next round is open: this one is published.
    std::vector<double> pushes;  // Of each client, in seconds: from the call to its receipt.
  };
  // Every client pushes once, `at_a_time` of them at a time (at most one for each connection).
  absl::StatusOr<Round> Run(int at_a_time);

 private:
  Crowd(const Payloads& payloads, int clients, std::uint64_t round)
      : payloads_(&payloads), clients_(clients), round_(round) {}
  absl::Status Push(int line, int client, double& seconds) const;

  const Payloads* payloads_;
  int clients_;
  std::uint64_t round_;  // That is open.
  std::vector<std::unique_ptr<Uploader>> lines_;
};

}  // namespace cairn::bench
