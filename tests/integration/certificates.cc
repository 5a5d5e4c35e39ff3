#include "tests/integration/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
constexpr long kValidSeconds = 3600;

template <typename T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

void Require(bool ok) {
  if (!ok) std::abort();
}

struct FileCloser {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, FileCloser>;

void AddExtension(X509* certificate, int nid, const std::string& value) {
  std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION, X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  Require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Certificate NewCertificate(const std::string& name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), std::random_device{}());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidSeconds);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

Identity Save(const fs::path& directory, const std::string& name, X509* certificate, EVP_PKEY* key) {
  const Identity identity{directory / (name + ".pem"), directory / (name + ".key")};
  const File pem(std::fopen(identity.certificate.c_str(), "w")), secret(std::fopen(identity.key.c_str(), "w"));
  Require(PEM_write_X509(pem.get(), certificate) == 1);
  Require(PEM_write_PKCS8PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return identity;
}

}  // namespace

Authority::Authority(fs::path directory, const std::string& name) : directory_(std::move(directory)) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = NewCertificate(name, key.get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  Require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  own_ = Save(directory_, name, certificate.get(), key.get());
}

Identity Authority::Issue(const std::string& name, const std::string& alternative) const {
  const File ca_file(std::fopen(own_.certificate.c_str(), "r")), key_file(std::fopen(own_.key.c_str(), "r"));
  const Certificate ca(PEM_read_X509(ca_file.get(), nullptr, nullptr, nullptr));
  const Key ca_key(PEM_read_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = NewCertificate(name, key.get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(ca.get()));
  if (!alternative.empty()) AddExtension(certificate.get(), NID_subject_alt_name, alternative);
  Require(X509_sign(certificate.get(), ca_key.get(), EVP_sha256()) > 0);
  return Save(directory_, name, certificate.get(), key.get());
}

}  // namespace cairn::testing
