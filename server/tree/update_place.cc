#include "server/tree/update_place.h"

#include <filesystem>

namespace cairn::tree {

v1::UpdatePlace PlaceOf(const Contribution& contribution) {
  const ReceiptRow& receipt = contribution.receipt;
  v1::UpdatePlace place;
  place.set_client(receipt.client);
  place.set_sha256(receipt.sha256);
  place.set_examples(receipt.examples);
  if (const auto key = contribution.payload->shared_key()) place.set_object(key->ToHex());
  if (const auto path = contribution.payload->path()) place.set_path(std::filesystem::absolute(*path));
  return place;
}

}  // namespace cairn::tree
