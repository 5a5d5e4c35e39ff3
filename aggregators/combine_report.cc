#include "aggregators/combine_report.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(std::optional<double> value) { return value && std::isfinite(*value) ? Json(*value) : Json(nullptr); }

// Counts are mostly whole, and then look so.
Json Count(double value) {
  return value == std::floor(value) && value < 0x1p53 ? Json(static_cast<std::uint64_t>(value)) : Json(value);
}

Json ToJson(const ClientReport& client) {
  return {{"id", client.id},
          {"examples", Count(client.examples)},
          {"weight", client.weight},
          {"distance", NumberOrNull(client.distance)},
          {"cosine", NumberOrNull(client.cosine)},
          {"accepted", client.accepted},
          {"reason", client.reason}};
}

Json ToJson(const ModuleReport& module) {
  return {{"name", module.name},
          {"rank_in", module.rank_in},
          {"rank_out", module.rank_out},
          {"relative_error", NumberOrNull(module.relative_error)}};
}

Json ToJson(const RecipientReport& recipient) {
  return {{"id", recipient.id}, {"rank", recipient.rank}, {"relative_error", NumberOrNull(recipient.relative_error)}};
}

}  // namespace

std::string ToJson(const CombineReport& report) {
  Json json = {{"clients", Json::array()}, {"modules", Json::array()}};
  for (const ClientReport& client : report.clients) json["clients"].push_back(ToJson(client));
  for (const ModuleReport& module : report.modules) json["modules"].push_back(ToJson(module));
  json["relative_error"] = NumberOrNull(report.relative_error);
  json["dtype"] = report.dtype ? Json(std::string(NameOf(*report.dtype))) : Json(nullptr);
  if (!report.gram.empty()) json["gram"] = report.gram;
  for (const RecipientReport& recipient : report.recipients) json["recipients"].push_back(ToJson(recipient));
  json["rule"] = report.rule;
  json["guards"] = report.guards;
  json["combine"] = report.combine;
  json["publish"] = report.publish;
  json["seconds"] = report.seconds;
  json["bytes"] = report.bytes;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cairn
