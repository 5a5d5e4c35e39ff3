#include "server/node/node_shards.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <future>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "server/node/gathered_parts.h"
#include "server/node/shard_order.h"
#include "server/root/published_files.h"
#include "server/store/make_directories.h"
#include "server/tree/shard_messages.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kDirectory[] = "shards";

absl::Status NotWanted() { return absl::AbortedError("nobody wants it any more"); }

class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) {}
  ~Folder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

class ShardParcel final : public Parcel {
 public:
  static Made Of(std::shared_ptr<const Folder> folder, const std::vector<ShardPart>& parts) {
    auto parcel = std::make_shared<ShardParcel>();
    parcel->folder_ = std::move(folder);
    v1::ShardLayout layout;
    for (const ShardPart& part : parts) {
      v1::ShardMade& made = *layout.add_parts() = tree::MadeOf(part);
      made.clear_file();
      if (layout.parts_size() > 1) made.clear_clients();  // All parts say the same of them.
      std::uint64_t bytes = 0;
      if (!part.file.empty()) {
        CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(part.file));
        bytes = file.bytes().size();
        parcel->files_.push_back(std::move(file));
      }
      layout.add_bytes(bytes);
    }
    parcel->layout_ = layout.SerializeAsString();
    return parcel;
  }

  void Describe(v1::DeliverHeader& header) const override { header.set_shard_layout(layout_.size()); }
  std::vector<absl::string_view> pieces() const override {
    std::vector<absl::string_view> pieces = {layout_};
    for (const MappedFile& file : files_) pieces.push_back(file.bytes());
    return pieces;
  }

 private:
  std::shared_ptr<const Folder> folder_;
  std::string layout_;  // A serialised ShardLayout.
  std::vector<MappedFile> files_;
};

// An adapter that the round goes on from, where those who combine it look.
absl::Status Link(AdapterFetcher& fetcher, const PublishJob& job, bool delta) {
  const AdapterFile& wanted = delta ? *job.previous->delta : job.previous->whole;
  v1::PullRequest request;
  request.set_federation(job.federation);
  request.set_version(job.previous->version);
  request.set_form(delta ? v1::PullRequest::FORM_DELTA : v1::PullRequest::FORM_ADAPTER);
  const auto fetched = std::make_shared<std::promise<absl::StatusOr<VersionFile>>>();
  fetcher.Fetch(request, [fetched](absl::StatusOr<VersionFile> file) { fetched->set_value(std::move(file)); });
  CAIRN_ASSIGN_OR_RETURN(const VersionFile file, fetched->get_future().get());
  if (file.adapter.sha256 != wanted.sha256) return absl::DataLossError("the version before is another one");
  const fs::path path = AdapterPath(job.data_dir, job.federation, wanted.sha256);
  CAIRN_RETURN_IF_ERROR(MakeDirectories(path.parent_path()));
  std::error_code error;
  fs::create_hard_link(fetcher.PathOf(wanted.sha256), path, error);
  return error && error != std::errc::file_exists ? ErrnoStatus(error.value(), "link", path) : absl::OkStatus();
}

}  // namespace

NodeShards::NodeShards(NodeShardsOptions options)
    : options_(std::move(options)),
      directory_(options_.data_dir / kDirectory),
      reducer_(std::make_shared<RootReducer>(options_.node, options_.root)) {
  std::error_code error;
  fs::remove_all(directory_, error);  // Of a process that died.
}

Reduce NodeShards::Reducing(std::uint64_t fetch, bool greatest, const std::shared_ptr<const Errand>& errand) const {
  return [reducer = reducer_, fetch, greatest, errand](absl::Span<std::int64_t> values) {
    const Errand::AwaitsOthers waits(*errand);
    return errand->wanted() ? reducer->Reduce(fetch, greatest, values) : NotWanted();
  };
}

absl::Status NodeShards::FindPrevious(const PublishJob& job, const Errand& errand) const {
  if (!job.previous) return absl::OkStatus();
  const Errand::AwaitsOthers waits(errand);
  CAIRN_RETURN_IF_ERROR(Link(*options_.fetcher, job, /*delta=*/false));
  return job.previous->delta ? Link(*options_.fetcher, job, /*delta=*/true) : absl::OkStatus();
}

NodeShards::~NodeShards() { reducer_->Close(); }

absl::StatusOr<std::vector<ShardPart>> NodeShards::PartsOf(const PublishJob& job,
                                                           const std::shared_ptr<const Shard>& shard,
                                                           const Errand& errand) const {
  std::vector<ShardPart> parts;
  if (options_.workers != nullptr) {
    const Errand::AwaitsOthers waits(errand);  // Their dispatcher sees whether they get on.
    CAIRN_ASSIGN_OR_RETURN(parts, options_.workers->Combine(job, shard));
  }
  if (!parts.empty()) return parts;
  if (options_.workers != nullptr) {
    spdlog::warn("{}: version {}: no worker is there: the gateway combines its modules itself", job.federation,
                 job.version);
  }
  CAIRN_ASSIGN_OR_RETURN(ShardPart part,
                         CombineShard(job, shard, ShardPath(job.data_dir, job.federation, options_.node)));
  parts.push_back(std::move(part));
  return parts;
}

Made NodeShards::CombineCaught(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand) {
  if (!errand->wanted()) return NotWanted();
  CAIRN_ASSIGN_OR_RETURN(OrderedShard ordered, OrderedBy(order));
  const auto folder = std::make_shared<const Folder>(directory_ / absl::StrCat(++last_));
  PublishJob& job = ordered.job;
  job.data_dir = folder->path();
  CAIRN_RETURN_IF_ERROR(MakeDirectories(ShardPath(job.data_dir, job.federation, "").parent_path()));
  auto shard = std::make_shared<Shard>();
  shard->modules = ordered.share.modules;
  shard->tensors = ordered.share.tensors;
  shard->only_own_values = true;
  shard->sum = Reducing(order.updates().fetch(), /*greatest=*/false, errand);
  shard->max = Reducing(order.updates().fetch(), /*greatest=*/true, errand);
  CAIRN_FAILPOINT("node.before_combine").IgnoreError();
  CAIRN_RETURN_IF_ERROR(GatherParts(job, options_.node, ordered.addresses, *shard, *options_.peers, *options_.store,
                                    folder->path() / "parts", [&] { return errand->wanted(); }));
  CAIRN_RETURN_IF_ERROR(FindPrevious(job, *errand));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ShardPart> parts, PartsOf(job, shard, *errand));
  CAIRN_FAILPOINT("node.after_combine").IgnoreError();
  return ShardParcel::Of(folder, parts);
}

Made NodeShards::CombineInTurn(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand) {
  CAIRN_ASSIGN_OR_RETURN(const auto turn, turns_.Await(errand));
  try {
    return CombineCaught(order, errand);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to combine the node's modules");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("combining the node's modules: ", error.what()));
  }
}

Made NodeShards::Combine(const v1::ShardOrder& order, const std::shared_ptr<const Errand>& errand) {
  Made made = CombineInTurn(order, errand);
  // To the root this means that it is stopping itself.
  return absl::IsCancelled(made.status()) ? absl::UnavailableError(made.status().message()) : std::move(made);
}

}  // namespace cairn
