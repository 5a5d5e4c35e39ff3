// A node that others read of, over loopback, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/digest.h"
#include "base/test_directory.h"
#include "server/gateway/gateway.h"
#include "server/metrics/metrics.h"
#include "server/node/peer_service.h"
#include "server/store/testing.h"

namespace cairn::testing {

class TestPeer {
 public:
  explicit TestPeer(const TlsFiles& tls = {}) : store_(*OpenFileStore(directory_.path(), 64 << 20)) { Start(tls); }

  void Start(const TlsFiles& tls = {}) {
    auto gateway = Gateway::Start(
        {.listen = "127.0.0.1:0", .tls = tls, .network_bytes_max = 64 << 20}, nullptr, store_.get(), &metrics_,
        {[this](const GatewayContext& context) { return MakePeerService(context, store_.get(), context.mutual_tls); }});
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_ = *std::move(gateway);
    address_ = gateway_->address();
  }
  void Stop() { gateway_.reset(); }
  const std::string& address() const { return address_; }  // The last one.
  Store& store() { return *store_; }

  // An update of federation "fed".
  UploadKey Seal(const std::string& client, const std::string& bytes) {
    const UploadKey key{"fed", 1, client, Sha256Hex(bytes), bytes.size()};
    auto upload = Begun(*store_, key, &opener_).Take();
    EXPECT_TRUE(upload.ok() && (*upload)->Append({bytes}).ok());
    EXPECT_TRUE(store_->Seal(*std::move(upload), key.sha256).ok());
    return key;
  }

 private:
  TestDirectory directory_;
  Metrics metrics_{"test"};
  WorkerPool opener_{1};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Gateway> gateway_;
  std::string address_;
};

}  // namespace cairn::testing
