// Client::Cancel: ends every call in progress (pauses look for it themselves), and refuses later ones.
#pragma once

#include <grpcpp/client_context.h>

#include <mutex>
#include <unordered_set>

#include "absl/status/status.h"

namespace cairn::sdk {

// Thread-safe.
class Cancellation {
 public:
  void Cancel();
  // CANCELLED once Cancel was called.
  absl::Status Check() const;

  // Makes Cancel reach a call for as long as this object lives. Declare it after the context.
  class Scope {
   public:
    Scope(Cancellation& cancellation, grpc::ClientContext& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation& cancellation_;
    grpc::ClientContext& context_;
  };

 private:
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  std::unordered_set<grpc::ClientContext*> live_;
};

}  // namespace cairn::sdk
