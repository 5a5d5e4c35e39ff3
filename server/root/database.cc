#include "server/root/database.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "server/root/sqlite.h"

namespace cairn {

using sqlite::Execute;
using sqlite::Statement;

namespace {

constexpr int kSchemaVersion = 5;

constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS federations (
  name TEXT PRIMARY KEY, combine TEXT NOT NULL, phase TEXT NOT NULL, round INTEGER NOT NULL, version INTEGER NOT NULL,
  opened_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS specs (federation TEXT PRIMARY KEY, base_model TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS modules (
  federation TEXT NOT NULL, name TEXT NOT NULL, d_in INTEGER NOT NULL, d_out INTEGER NOT NULL,
  layer TEXT NOT NULL, PRIMARY KEY (federation, name)) STRICT;
CREATE TABLE IF NOT EXISTS tensors (
  federation TEXT NOT NULL, name TEXT NOT NULL, shape TEXT NOT NULL, PRIMARY KEY (federation, name)) STRICT;
CREATE TABLE IF NOT EXISTS clients (
  federation TEXT NOT NULL, client TEXT NOT NULL, active INTEGER NOT NULL, PRIMARY KEY (federation, client)) STRICT;
CREATE TABLE IF NOT EXISTS receipts (
  federation TEXT NOT NULL, round INTEGER NOT NULL, client TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,
  examples INTEGER NOT NULL, adapter_config TEXT NOT NULL, received_ms INTEGER NOT NULL,
  PRIMARY KEY (federation, round, client)) STRICT;
CREATE TABLE IF NOT EXISTS versions (
  federation TEXT NOT NULL, version INTEGER NOT NULL, whole_sha256 TEXT NOT NULL, whole_bytes INTEGER NOT NULL,
  whole_config TEXT NOT NULL, delta_sha256 TEXT, delta_bytes INTEGER, delta_config TEXT, published_ms INTEGER NOT NULL,
  relative_error REAL, PRIMARY KEY (federation, version)) STRICT;
CREATE TABLE IF NOT EXISTS outcomes (
  federation TEXT NOT NULL, round INTEGER NOT NULL, client TEXT NOT NULL, weight REAL NOT NULL, distance REAL,
  cosine REAL, accepted INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (federation, round, client)) STRICT;
CREATE TABLE IF NOT EXISTS node_updates (
  federation TEXT NOT NULL, round INTEGER NOT NULL, client TEXT NOT NULL, node TEXT NOT NULL, header BLOB NOT NULL,
  frozen BLOB NOT NULL, PRIMARY KEY (federation, round, client)) STRICT;
CREATE TABLE IF NOT EXISTS node_directories (node TEXT PRIMARY KEY, directory TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS server (identity TEXT NOT NULL) STRICT;
INSERT INTO server SELECT lower(hex(randomblob(16))) WHERE NOT EXISTS (SELECT 1 FROM server);
)sql";

// Version 1 had linear modules only, and called `rule` what is `combine` now. New columns come last, as in kSchema,
// which makes the tables that are new: version 2 lacks `outcomes`, version 3 `node_updates`, version 4 `server` and `node_directories`.
constexpr char kFromVersion1[] = R"sql(
ALTER TABLE federations RENAME COLUMN rule TO combine;
ALTER TABLE modules ADD COLUMN layer TEXT NOT NULL DEFAULT 'linear';
ALTER TABLE versions ADD COLUMN relative_error REAL;
)sql";

// Brings the schema up to date. Refuses a database of a later version rather than guessing.
absl::Status UpdateSchema(sqlite3* handle, const std::filesystem::path& path) {
  std::int64_t version = 0;
  {
    Statement query(handle, "PRAGMA user_version");
    CAIRN_RETURN_IF_ERROR(query.Rows([&] { version = query.Int(0); }));
  }
  if (version < 0 || version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path.string(), ": schema version ", version,
                                                      ", this program reads up to ", kSchemaVersion,
                                                      "; use the Cairn that wrote it"));
  }
  if (version == 1) CAIRN_RETURN_IF_ERROR(Execute(handle, kFromVersion1));
  CAIRN_RETURN_IF_ERROR(Execute(handle, kSchema));
  return Execute(handle, absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str());
}

// "3,4" for the shape [3, 4].
std::string TextOf(const std::vector<std::int64_t>& shape) { return absl::StrJoin(shape, ","); }

absl::StatusOr<std::vector<std::int64_t>> ShapeFrom(const std::string& text) {
  std::vector<std::int64_t> shape;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    if (!absl::SimpleAtoi(part, &shape.emplace_back())) {
      return absl::DataLossError(absl::StrCat("database: shape \"", text, "\""));
    }
  }
  return shape;
}

// With the conditions to follow.
constexpr char kSelectReceipts[] =
    "SELECT federation,round,client,sha256,bytes,examples,adapter_config,received_ms,node FROM receipts "
    "LEFT JOIN node_updates USING (federation,round,client) WHERE federation=? AND round=?";

ReceiptRow ReceiptFrom(const Statement& row) {
  return {row.Text(0),     row.Unsigned(1), row.Text(2), row.Text(3), row.Unsigned(4),
          row.Unsigned(5), row.Text(6),     row.Int(7),  row.Text(8)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& path, Sync sync) {
  CAIRN_ASSIGN_OR_RETURN(sqlite3* const handle, sqlite::Open(path));
  std::unique_ptr<Database> database(new Database(handle));
  CAIRN_RETURN_IF_ERROR(Execute(handle, "PRAGMA journal_mode=WAL"));
  CAIRN_RETURN_IF_ERROR(Execute(handle, sync == Sync::kFull ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF"));
  CAIRN_RETURN_IF_ERROR(database->Begin());
  const absl::Status updated = UpdateSchema(handle, path);
  if (!updated.ok()) database->Rollback();
  CAIRN_RETURN_IF_ERROR(updated);
  CAIRN_RETURN_IF_ERROR(database->Commit());
  return database;
}

Database::~Database() { sqlite::Close(handle_); }

absl::Status Database::Begin() {
  failed_ = refused_ = absl::OkStatus();
  return Execute(handle_, "BEGIN IMMEDIATE");
}
absl::Status Database::Commit() {
  CAIRN_RETURN_IF_ERROR(failed_);
  CAIRN_RETURN_IF_ERROR(refused_);
  return Execute(handle_, "COMMIT");
}
absl::Status Database::Write(absl::Status status) {
  failed_.Update(status);
  return status;
}
void Database::Rollback() { Execute(handle_, "ROLLBACK").IgnoreError(); }

absl::Status Database::BeginPart() {
  refused_before_part_ = refused_;
  return Execute(handle_, "SAVEPOINT part");
}
absl::Status Database::EndPart() { return Execute(handle_, "RELEASE part"); }
void Database::TakeBackPart() {
  refused_ = refused_before_part_;
  Execute(handle_, "ROLLBACK TO part; RELEASE part").IgnoreError();
}

absl::Status Database::Save(const FederationRow& row) {
  return Write(Statement(handle_, "INSERT OR REPLACE INTO federations VALUES (?,?,?,?,?,?,?)")
                   .Bind(row.name)
                   .Bind(row.combine)
                   .Bind(row.phase)
                   .Bind(row.round)
                   .Bind(row.version)
                   .Bind(row.opened_ms)
                   .Bind(row.deadline_ms)
                   .Run());
}

absl::StatusOr<std::optional<FederationRow>> Database::LoadFederation(const std::string& name) {
  std::optional<FederationRow> row;
  Statement query(handle_,
                  "SELECT name,combine,phase,round,version,opened_ms,deadline_ms FROM federations WHERE name=?");
  CAIRN_RETURN_IF_ERROR(query.Bind(name).Rows([&] {
    row = FederationRow{query.Text(0),     query.Text(1), query.Text(2), query.Unsigned(3),
                        query.Unsigned(4), query.Int(5),  query.Int(6)};
  }));
  return row;
}

absl::Status Database::SaveSpec(const std::string& federation, const AdapterSpec& spec) {
  for (const char* sql : {"DELETE FROM specs WHERE federation=?", "DELETE FROM modules WHERE federation=?",
                          "DELETE FROM tensors WHERE federation=?"}) {
    CAIRN_RETURN_IF_ERROR(Write(Statement(handle_, sql).Bind(federation).Run()));
  }
  CAIRN_RETURN_IF_ERROR(
      Write(Statement(handle_, "INSERT INTO specs VALUES (?,?)").Bind(federation).Bind(spec.base_model).Run()));
  for (const ModuleSpec& module : spec.modules) {
    CAIRN_RETURN_IF_ERROR(Write(Statement(handle_, "INSERT INTO modules VALUES (?,?,?,?,?)")
                                    .Bind(federation)
                                    .Bind(module.name)
                                    .Bind(module.d_in)
                                    .Bind(module.d_out)
                                    .Bind(NameOf(module.layer))
                                    .Run()));
  }
  for (const TensorSpec& tensor : spec.tensors) {
    CAIRN_RETURN_IF_ERROR(Write(Statement(handle_, "INSERT INTO tensors VALUES (?,?,?)")
                                    .Bind(federation)
                                    .Bind(tensor.name)
                                    .Bind(TextOf(tensor.shape))
                                    .Run()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<AdapterSpec>> Database::LoadSpec(const std::string& federation) {
  std::optional<AdapterSpec> spec;
  Statement head(handle_, "SELECT base_model FROM specs WHERE federation=?");
  CAIRN_RETURN_IF_ERROR(head.Bind(federation).Rows([&] { spec = AdapterSpec{head.Text(0), {}, {}}; }));
  if (!spec) return spec;
  absl::Status wrong;
  Statement modules(handle_, "SELECT name,d_in,d_out,layer FROM modules WHERE federation=? ORDER BY name");
  CAIRN_RETURN_IF_ERROR(modules.Bind(federation).Rows([&] {
    const absl::StatusOr<Layer> layer = LayerFromName(modules.Text(3));
    wrong.Update(layer.status());
    spec->modules.push_back({modules.Text(0), modules.Int(1), modules.Int(2), layer.value_or(Layer{})});
  }));
  Statement tensors(handle_, "SELECT name,shape FROM tensors WHERE federation=? ORDER BY name");
  CAIRN_RETURN_IF_ERROR(tensors.Bind(federation).Rows([&] {
    absl::StatusOr<std::vector<std::int64_t>> shape = ShapeFrom(tensors.Text(1));
    wrong.Update(shape.status());
    if (shape.ok()) spec->tensors.push_back({tensors.Text(0), *std::move(shape)});
  }));
  CAIRN_RETURN_IF_ERROR(wrong);
  return spec;
}

absl::Status Database::SaveClient(const std::string& federation, const ClientRow& row) {
  return Write(Statement(handle_, "INSERT OR REPLACE INTO clients VALUES (?,?,?)")
                   .Bind(federation)
                   .Bind(row.client)
                   .Bind(static_cast<std::int64_t>(row.active))
                   .Run());
}

absl::StatusOr<std::vector<ClientRow>> Database::LoadClients(const std::string& federation) {
  std::vector<ClientRow> clients;
  Statement query(handle_, "SELECT client,active FROM clients WHERE federation=? ORDER BY client");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Rows([&] { clients.push_back({query.Text(0), query.Int(1) != 0}); }));
  return clients;
}

absl::Status Database::Insert(const ReceiptRow& row) {
  return Write(Statement(handle_, "INSERT INTO receipts VALUES (?,?,?,?,?,?,?,?)")
                   .Bind(row.federation)
                   .Bind(row.round)
                   .Bind(row.client)
                   .Bind(row.sha256)
                   .Bind(row.bytes)
                   .Bind(row.examples)
                   .Bind(row.adapter_config)
                   .Bind(row.received_ms)
                   .Run());
}

absl::StatusOr<std::optional<ReceiptRow>> Database::LoadReceipt(const std::string& federation, std::uint64_t round,
                                                                const std::string& client) {
  std::optional<ReceiptRow> row;
  const std::string sql = absl::StrCat(kSelectReceipts, " AND client=?");
  Statement query(handle_, sql.c_str());
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(round).Bind(client).Rows([&] { row = ReceiptFrom(query); }));
  return row;
}

absl::StatusOr<std::vector<ReceiptRow>> Database::LoadReceipts(const std::string& federation, std::uint64_t round) {
  std::vector<ReceiptRow> rows;
  const std::string sql = absl::StrCat(kSelectReceipts, " ORDER BY client");
  Statement query(handle_, sql.c_str());
  SharedTexts configs;
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(round).Rows([&] {
    ReceiptRow& row = rows.emplace_back(ReceiptFrom(query));
    row.adapter_config = configs.Of(row.adapter_config);
  }));
  return rows;
}

absl::StatusOr<bool> Database::HasReceipts(const std::string& federation) {
  bool any = false;
  Statement query(handle_, "SELECT EXISTS (SELECT 1 FROM receipts WHERE federation=?)");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Rows([&] { any = query.Int(0) != 0; }));
  return any;
}

absl::Status Database::DeleteReceipt(const std::string& federation, std::uint64_t round, const std::string& client) {
  return Write(Statement(handle_, "DELETE FROM receipts WHERE federation=? AND round=? AND client=?")
                   .Bind(federation)
                   .Bind(round)
                   .Bind(client)
                   .Run());
}

absl::Status Database::Save(const NodeUpdateRow& row) {
  return Write(Statement(handle_, "INSERT OR REPLACE INTO node_updates VALUES (?,?,?,?,?,?)")
                   .Bind(row.federation)
                   .Bind(row.round)
                   .Bind(row.client)
                   .Bind(row.node)
                   .BindBytes(row.header)
                   .BindBytes(row.frozen)
                   .Run());
}

absl::StatusOr<std::optional<NodeUpdateRow>> Database::LoadNodeUpdate(const std::string& federation,
                                                                      std::uint64_t round, const std::string& client) {
  std::optional<NodeUpdateRow> row;
  Statement query(handle_, "SELECT node,header,frozen FROM node_updates WHERE federation=? AND round=? AND client=?");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(round).Bind(client).Rows([&] {
    row = NodeUpdateRow{federation, round, client, query.Text(0), query.Bytes(1), query.Bytes(2)};
  }));
  return row;
}

absl::StatusOr<std::vector<NodeUpdateRow>> Database::LoadLostUpdates(const std::string& federation,
                                                                     std::uint64_t round) {
  std::vector<NodeUpdateRow> rows;
  Statement query(handle_,
                  "SELECT client,node FROM node_updates WHERE federation=? AND round=? AND client NOT IN "
                  "(SELECT client FROM receipts WHERE federation=? AND round=?) ORDER BY client");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(round).Bind(federation).Bind(round).Rows([&] {
    rows.push_back({federation, round, query.Text(0), query.Text(1), "", ""});
  }));
  return rows;
}

absl::Status Database::DeleteNodeUpdate(const std::string& federation, std::uint64_t round, const std::string& client) {
  return Write(Statement(handle_, "DELETE FROM node_updates WHERE federation=? AND round=? AND client=?")
                   .Bind(federation)
                   .Bind(round)
                   .Bind(client)
                   .Run());
}

absl::Status Database::DeleteNodeUpdates(const std::string& federation, std::uint64_t round) {
  return Write(
      Statement(handle_, "DELETE FROM node_updates WHERE federation=? AND round=?").Bind(federation).Bind(round).Run());
}

absl::Status Database::Insert(const VersionRow& row) {
  Statement insert(handle_, "INSERT INTO versions VALUES (?,?,?,?,?,?,?,?,?,?)");
  insert.Bind(row.federation).Bind(row.version);
  insert.Bind(row.whole.sha256).Bind(row.whole.bytes).Bind(row.whole.config);
  if (row.delta) {
    insert.Bind(row.delta->sha256).Bind(row.delta->bytes).Bind(row.delta->config);
  } else {
    insert.BindNull().BindNull().BindNull();
  }
  return Write(insert.Bind(row.published_ms).Bind(row.relative_error).Run());
}

absl::StatusOr<std::optional<VersionRow>> Database::LoadVersion(const std::string& federation, std::uint64_t version) {
  std::optional<VersionRow> row;
  Statement query(handle_, "SELECT * FROM versions WHERE federation=? AND version=?");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(version).Rows([&] {
    row = VersionRow{query.Text(0), query.Unsigned(1), {query.Text(2), query.Unsigned(3), query.Text(4)},
                     std::nullopt,  query.Int(8),      query.RealIfAny(9)};
    if (!query.Null(5)) row->delta = AdapterFile{query.Text(5), query.Unsigned(6), query.Text(7)};
  }));
  return row;
}

absl::StatusOr<std::set<std::string>> Database::LoadAdapterDigests(const std::string& federation) {
  std::set<std::string> digests;
  Statement query(handle_, "SELECT whole_sha256,coalesce(delta_sha256,whole_sha256) FROM versions WHERE federation=?");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Rows([&] { digests.insert({query.Text(0), query.Text(1)}); }));
  return digests;
}

absl::Status Database::Insert(const std::string& federation, std::uint64_t round, const std::vector<OutcomeRow>& rows) {
  for (const OutcomeRow& row : rows) {
    CAIRN_RETURN_IF_ERROR(Write(Statement(handle_, "INSERT INTO outcomes VALUES (?,?,?,?,?,?,?,?)")
                                    .Bind(federation)
                                    .Bind(round)
                                    .Bind(row.client)
                                    .Bind(row.weight)
                                    .Bind(row.distance)
                                    .Bind(row.cosine)
                                    .Bind(static_cast<std::int64_t>(row.accepted))
                                    .Bind(row.reason)
                                    .Run()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OutcomeRow>> Database::LoadOutcomes(const std::string& federation, std::uint64_t round) {
  std::vector<OutcomeRow> rows;
  Statement query(handle_,
                  "SELECT client,weight,distance,cosine,accepted,reason FROM outcomes WHERE federation=? AND round=? "
                  "ORDER BY client");
  CAIRN_RETURN_IF_ERROR(query.Bind(federation).Bind(round).Rows([&] {
    rows.push_back(
        {query.Text(0), query.Real(1), query.RealIfAny(2), query.RealIfAny(3), query.Int(4) != 0, query.Text(5)});
  }));
  return rows;
}

}  // namespace cairn
