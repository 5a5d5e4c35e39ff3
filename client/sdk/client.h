// The Cairn client: what a trainer embeds. Needs only the standard library and Abseil's Status and Time.
//
//   cairn::ClientOptions options;
//   options.server = "127.0.0.1:7070";
//   options.federation = "licenses";
//   options.client = "client-1";
//   auto client = cairn::Client::Join(options);
//   while (true) {
//     auto round = (*client)->AwaitRound();                    // blocks; restarts of the server are waited out
//     if (!round.ok()) break;                                  // OUT_OF_RANGE: the federation has finished
//     auto start = (*client)->PullStart(*round, merged, "from_server/");
//     if (!start.ok()) break;
//     ... StartMode::kMerge: with *start == Form::kDelta add from_server/ to the weights, with Form::kAdapter to the
//     pristine base weights, with Form::kBase restore these; then merged = round->version_sha256; train a fresh
//     adapter, write my_adapter/ ...
//     auto receipt = (*client)->Push(*round, "my_adapter/", examples);  // an adapter_config.json + safetensors pair
//     if (absl::IsFailedPrecondition(receipt.status())) continue;       // the round closed without us
//     if (!receipt.ok()) break;
//   }
//   (*client)->Leave();
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cairn {

// PEM files. Any of them turns TLS on.
struct ClientTls {
  bool enabled = false;               // On without any file: the system's authorities, no client certificate.
  std::filesystem::path root_ca;      // Empty: the system's authorities.
  std::filesystem::path certificate;  // With `key`: mutual TLS.
  std::filesystem::path key;
};

// Retries apply to UNAVAILABLE (also: no answer within rpc_deadline or progress_timeout), ABORTED, DATA_LOSS, and
// RESOURCE_EXHAUSTED; other errors are final. A pause ends early when a server that could not be reached is there
// again.
struct RetryPolicy {
  absl::Duration initial_backoff = absl::Milliseconds(200);
  absl::Duration max_backoff = absl::Seconds(15);
  double multiplier = 1.6;
  double jitter = 0.2;  // Each pause is drawn from backoff * [1 - jitter, 1 + jitter].
  absl::Duration give_up_after = absl::InfiniteDuration();  // Without any progress; progress starts the count anew.
};

struct ClientOptions {
  std::string server;  // host:port
  std::string federation;
  std::string client;  // Unique in the federation, and stable across restarts of the trainer.
  ClientTls tls;
  // Updates go to the gateway that the server names for them, where there are several, and to `server` when that one
  // cannot be reached. False: always to `server`.
  bool follow_placement = true;
  std::string zone;  // Where this client is, as gateways are told where they are. Empty: nowhere in particular.
  RetryPolicy retry;
  absl::Duration rpc_deadline = absl::Seconds(20);  // Of control calls.
  absl::Duration progress_timeout =
      absl::Seconds(60);  // A transfer that stands still for this long is broken off and retried.
  // Told before each pause what failed and how long the pause is at most: for logs. Called on the thread that is in the
  // call.
  std::function<void(const absl::Status& failure, absl::Duration pause)> on_retry;
};

// One adapted weight: its change is a matrix [d_out, d_in].
struct ModuleShape {
  std::string name;  // Path in the base model, without PEFT's "base_model.model." prefix.
  std::int64_t d_in = 0, d_out = 0;
  std::string layer;  // "linear", or empty; "embedding"; "conv2d 3x3"; "conv2d 3x3 groups 4".
};

// A tensor that is no LoRA factor: of another kind of adapter, or trained beside the factors (biases, modules_to_save).
struct TensorShape {
  std::string name;  // As in the safetensors file.
  std::vector<std::int64_t> shape;
};

// What the trainer's adapters look like; the first client's declaration becomes the federation's unless configured.
// Later clients may have a part of it.
struct AdapterShape {
  std::string base_model;
  std::vector<ModuleShape> modules;  // In any order.
  std::vector<TensorShape> tensors;  // In any order.
};

// How a round starts from the published version; docs/sdk.md shows each.
enum class StartMode {
  kMerge,     // Merge everything learned so far into the base weights, train a fresh adapter (A random, B = 0).
  kWarm,      // Go on training the published adapter, cut to one's own rank: its first units.
  kResidual,  // Go on training the first units of what is pulled, as many as one's own rank; merge the others.
};

struct Round {
  std::uint64_t number = 0;   // From 1.
  std::uint64_t version = 0;  // Published so far; the round starts from it. 0: from the base model.
  StartMode start = StartMode::kMerge;
  absl::Time deadline = absl::InfiniteFuture();
  // Which version that is, and the one before: the sha256 of all that was learned up to it, as hexadecimal digits. A
  // server that began anew counts from 1 again; these tell its versions from those of the same number. Empty: none.
  std::string version_sha256, previous_sha256;
};

enum class Form {
  kAdapter,  // Everything learned so far, relative to the base model: right for a client that missed versions, too.
  kDelta,    // What this version adds to the one before, for who has that one merged. Not with StartMode::kWarm.
  kBase,     // Nothing to pull, but the pristine base weights to go back to. Of PullStart only.
};

struct Receipt {
  std::string sha256;  // Of the safetensors file, as this client computed it.
  std::uint64_t bytes = 0;
  absl::Time received;
};

using ProgressCallback = std::function<void(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

// Thread-safe. Calls block; Cancel ends them from another thread.
class Client {
 public:
  // Connects and registers. Waits for a server that is not up yet, within the retry policy.
  // INVALID_ARGUMENT (options), NOT_FOUND (federation), FAILED_PRECONDITION (shape differs from the federation's),
  // PERMISSION_DENIED (the certificate names another client), CANCELLED, UNAVAILABLE (gave up). A failed TLS handshake
  // looks like a server that is not there: it is retried, and on_retry is told the reason.
  static absl::StatusOr<std::unique_ptr<Client>> Join(ClientOptions options, const AdapterShape& shape = {});
  virtual ~Client() = default;

  // Blocks until a round is open to which this client has not contributed. OUT_OF_RANGE: the last round is published.
  // DEADLINE_EXCEEDED after `timeout`.
  virtual absl::StatusOr<Round> AwaitRound(absl::Duration timeout = absl::InfiniteDuration()) = 0;

  // Downloads a published version (0: the latest) into a PEFT adapter directory, which is replaced atomically.
  // Returns the version. NOT_FOUND: no such version. INVALID_ARGUMENT: Form::kBase.
  virtual absl::StatusOr<std::uint64_t> Pull(std::uint64_t version, Form form, const std::filesystem::path& directory,
                                             const ProgressCallback& progress = nullptr) = 0;

  // Downloads what `round` starts from into `directory`, and says what that is. `merged`: Round::version_sha256 of the
  // version whose changes the caller has in its weights, which it may have kept over a restart; empty for the pristine
  // base model.
  //   kDelta    what round.version adds to `merged`, which is the version before
  //   kAdapter  everything, relative to the pristine base: in rounds that start warm, and to catch up after rounds that
  //             this client missed, or when `merged` is none of this federation's (any more)
  //   kBase     the pristine base: nothing is published yet, but the caller has something merged, of a server that has
  //             begun anew since
  //   nullopt   nothing: nothing is published yet, or (StartMode::kMerge) `merged` is this version already
  // Errors as Pull.
  virtual absl::StatusOr<std::optional<Form>> PullStart(const Round& round, absl::string_view merged,
                                                        const std::filesystem::path& directory,
                                                        const ProgressCallback& progress = nullptr) = 0;

  // Uploads a PEFT adapter directory. Broken uploads go on where they stopped. The receipt means that the server has
  // the update on disk or, with `durability: memory`, in memory; pushing the same bytes again returns the same receipt.
  // INVALID_ARGUMENT (the server says which module and tensor), ALREADY_EXISTS (other bytes were contributed),
  // FAILED_PRECONDITION (the round is closed).
  virtual absl::StatusOr<Receipt> Push(const Round& round, const std::filesystem::path& adapter_directory,
                                       std::uint64_t examples, const ProgressCallback& progress = nullptr) = 0;

  // The same from memory; `safetensors` must stay until the call returns.
  virtual absl::StatusOr<Receipt> PushBytes(const Round& round, absl::string_view adapter_config_json,
                                            absl::string_view safetensors, std::uint64_t examples,
                                            const ProgressCallback& progress = nullptr) = 0;

  virtual absl::Status Leave() = 0;

  // Ends calls in progress, and all later ones, with CANCELLED.
  virtual void Cancel() = 0;
};

}  // namespace cairn
