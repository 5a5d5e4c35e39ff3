// What the database says of the root to its nodes, and of them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "server/root/database.h"
#include "server/root/sqlite.h"

namespace cairn {

using sqlite::Statement;

absl::StatusOr<std::string> Database::Identity() {
  std::string identity;
  Statement query(handle_, "SELECT identity FROM server");
  CAIRN_RETURN_IF_ERROR(query.Rows([&] { identity = query.Text(0); }));
  if (identity.empty()) return absl::DataLossError("database: the server's identity is gone");
  return identity;
}

absl::StatusOr<std::string> Database::DirectoryOf(const std::string& node) {
  std::string directory;
  Statement query(handle_, "SELECT directory FROM node_directories WHERE node=?");
  CAIRN_RETURN_IF_ERROR(query.Bind(node).Rows([&] { directory = query.Text(0); }));
  return directory;
}

absl::Status Database::CheckNode(const std::string& node, const std::string& directory,
                                 const std::vector<std::string>& federations) {
  CAIRN_ASSIGN_OR_RETURN(const std::string before, DirectoryOf(node));
  // Of a database without such a record the first to come has the updates.
  if (before == directory || before.empty()) return absl::OkStatus();
  std::uint64_t updates = 0;
  std::vector<std::string> whose;
  Statement query(handle_,
                  "SELECT federation,COUNT(*) FROM node_updates JOIN receipts USING (federation,round,client) "
                  "WHERE node=? GROUP BY federation ORDER BY federation");
  CAIRN_RETURN_IF_ERROR(query.Bind(node).Rows([&] {
    if (std::find(federations.begin(), federations.end(), query.Text(0)) == federations.end()) return;
    whose.push_back(absl::StrCat("\"", query.Text(0), "\""));
    updates += query.Unsigned(1);
  }));
  if (updates == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("node \"", node, "\" has ", updates, updates == 1 ? " acknowledged update" : " acknowledged updates",
                   " in another data directory, of ", absl::StrJoin(whose, ", "),
                   ": start it on that one, or give this one another name. If that one is lost for "
                   "good, on_node_loss of the federation says what becomes of them"));
}

absl::Status Database::ClaimNode(const std::string& node, const std::string& directory,
                                 const std::vector<std::string>& federations) {
  CAIRN_RETURN_IF_ERROR(CheckNode(node, directory, federations));
  CAIRN_ASSIGN_OR_RETURN(const std::string before, DirectoryOf(node));
  if (before == directory) return absl::OkStatus();
  return Write(
      Statement(handle_, "INSERT OR REPLACE INTO node_directories VALUES (?,?)").Bind(node).Bind(directory).Run());
}

}  // namespace cairn
