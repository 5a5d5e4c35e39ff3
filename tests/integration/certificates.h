// Certificates made on the spot, for tests of TLS.
#pragma once

#include <filesystem>
#include <string>

namespace cairn::testing {

// PEM files of one identity.
struct Identity {
  std::filesystem::path certificate, key;
};

// An authority that lives below a directory. Mistakes abort.
class Authority {
 public:
  // Files are called `name`.*
  Authority(std::filesystem::path directory, const std::string& name);
  // A certificate with this common name; `alternative` such as "IP:127.0.0.1" or "DNS:client-1", or none.
  Identity Issue(const std::string& name, const std::string& alternative = "") const;
  const std::filesystem::path& certificate() const { return own_.certificate; }

 private:
  std::filesystem::path directory_;
  Identity own_;
};

}  // namespace cairn::testing
