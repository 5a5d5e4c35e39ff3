#include "client/sdk/client.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/await.h"
#include "client/sdk/channel.h"
#include "client/sdk/connection.h"
#include "client/sdk/control.h"
#include "client/sdk/pull.h"
#include "client/sdk/push.h"
#include "client/sdk/retry.h"
#include "client/sdk/status.h"

namespace cairn {
namespace {

absl::Status CheckOptions(const ClientOptions& options) {
  if (options.server.empty()) return absl::InvalidArgumentError("server: empty; expected host:port");
  CAIRN_RETURN_IF_ERROR(CheckId("federation id", options.federation));
  CAIRN_RETURN_IF_ERROR(CheckId("client id", options.client));
  if (!options.zone.empty()) CAIRN_RETURN_IF_ERROR(CheckId("zone", options.zone));
  if (options.rpc_deadline <= absl::ZeroDuration() || options.progress_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("rpc_deadline and progress_timeout: expected more than 0");
  }
  return sdk::CheckRetryPolicy(options.retry);
}

v1::JoinRequest JoinRequestOf(const ClientOptions& options, const AdapterShape& shape) {
  v1::JoinRequest request;
  request.set_federation(options.federation);
  request.set_client(options.client);
  if (shape.base_model.empty() && shape.modules.empty() && shape.tensors.empty()) return request;
  request.mutable_spec()->set_base_model(shape.base_model);
  // The server wants ascending bytes; models list their layers in another order ("layers.2" before "layers.10").
  std::vector<ModuleShape> modules = shape.modules;
  std::sort(modules.begin(), modules.end(), [](const ModuleShape& a, const ModuleShape& b) { return a.name < b.name; });
  for (const ModuleShape& module : modules) {
    v1::ModuleSpec* spec = request.mutable_spec()->add_modules();
    spec->set_name(module.name);
    spec->set_d_in(module.d_in);
    spec->set_d_out(module.d_out);
    spec->set_layer(module.layer);
  }
  std::vector<TensorShape> tensors = shape.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const TensorShape& a, const TensorShape& b) { return a.name < b.name; });
  for (const TensorShape& tensor : tensors) {
    v1::TensorSpec* spec = request.mutable_spec()->add_tensors();
    spec->set_name(tensor.name);
    spec->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  }
  return request;
}

class RemoteClient final : public Client {
 public:
  explicit RemoteClient(std::unique_ptr<sdk::Connection> connection) : connection_(std::move(connection)) {}

  absl::StatusOr<Round> AwaitRound(absl::Duration timeout) override {
    return sdk::AwaitOpenRound(*connection_, timeout);
  }
  absl::StatusOr<std::uint64_t> Pull(std::uint64_t version, Form form, const std::filesystem::path& directory,
                                     const ProgressCallback& progress) override {
    if (form == Form::kBase) return absl::InvalidArgumentError("pull: Form::kBase is nothing that can be pulled");
    return sdk::PullVersion(*connection_, version, form, directory, progress);
  }
  absl::StatusOr<std::optional<Form>> PullStart(const Round& round, absl::string_view merged,
                                                const std::filesystem::path& directory,
                                                const ProgressCallback& progress) override {
    const std::optional<Form> form = sdk::StartFormOf(round, merged);
    if (form && *form != Form::kBase) CAIRN_RETURN_IF_ERROR(Pull(round.version, *form, directory, progress).status());
    return form;
  }
  absl::StatusOr<Receipt> Push(const Round& round, const std::filesystem::path& adapter_directory,
                               std::uint64_t examples, const ProgressCallback& progress) override;
  absl::StatusOr<Receipt> PushBytes(const Round& round, absl::string_view adapter_config_json,
                                    absl::string_view safetensors, std::uint64_t examples,
                                    const ProgressCallback& progress) override {
    return sdk::PushUpdate(*connection_, round, {adapter_config_json, safetensors, examples, nullptr}, progress);
  }
  absl::Status Leave() override { return sdk::LeaveFederation(*connection_); }
  void Cancel() override { connection_->cancellation.Cancel(); }

 private:
  const std::unique_ptr<sdk::Connection> connection_;
};

absl::StatusOr<Receipt> RemoteClient::Push(const Round& round, const std::filesystem::path& directory,
                                           std::uint64_t examples, const ProgressCallback& progress) {
  const auto doing = [&] { return absl::StrCat("push round ", round.number, " of ", connection_->options.client); };
  const absl::StatusOr<std::string> config = ReadFile(directory / kAdapterConfigFile, limits::kAdapterConfigBytesMax);
  if (!config.ok()) return sdk::Annotate(config.status(), doing());
  absl::StatusOr<MappedFile> file = MappedFile::Open(directory / kAdapterModelFile);
  if (!file.ok()) return sdk::Annotate(file.status(), doing());
  const auto mapped = std::make_shared<const MappedFile>(*std::move(file));
  return sdk::PushUpdate(*connection_, round, {*config, mapped->bytes(), examples, mapped}, progress);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Join(ClientOptions options, const AdapterShape& shape) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return sdk::Annotate(status, "join");
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = sdk::OpenChannel(options);
  if (!channel.ok()) return sdk::Annotate(channel.status(), "join");
  v1::JoinRequest request = JoinRequestOf(options, shape);
  auto connection = std::make_unique<sdk::Connection>(std::move(options), *std::move(channel));
  connection->join_request = std::move(request);
  CAIRN_RETURN_IF_ERROR(sdk::JoinFederation(*connection));
  return std::make_unique<RemoteClient>(std::move(connection));
}

}  // namespace cairn
