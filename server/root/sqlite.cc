#include "server/root/sqlite.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"

namespace cairn::sqlite {
namespace {

// For a writer such as the sqlite3 shell; the directory lock keeps other servers away. Everybody waits meanwhile.
constexpr int kBusyMilliseconds = 1000;

absl::Status StatusOf(sqlite3* handle, absl::string_view what) {
  const std::string message = absl::StrCat("database: ", what, ": ", sqlite3_errmsg(handle));
  switch (sqlite3_errcode(handle)) {
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace

absl::StatusOr<sqlite3*> Open(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  if (sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) != SQLITE_OK) {
    const absl::Status status = StatusOf(handle, absl::StrCat("open ", path.string()));
    sqlite3_close(handle);
    return status;
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return handle;
}

void Close(sqlite3* handle) { sqlite3_close(handle); }

absl::Status Execute(sqlite3* handle, const char* sql) {
  return sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : StatusOf(handle, sql);
}

Statement::Statement(sqlite3* handle, const char* sql) : handle_(handle), sql_(sql) {
  ok_ = sqlite3_prepare_v2(handle, sql, -1, &statement_, nullptr) == SQLITE_OK;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::Check(bool ok) {
  ok_ = ok;
  return *this;
}

Statement& Statement::Bind(const std::string& text) {
  return Check(ok_ && sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                                        SQLITE_TRANSIENT) == SQLITE_OK);
}

Statement& Statement::BindBytes(const std::string& bytes) {
  return Check(ok_ &&
               sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK);
}

Statement& Statement::Bind(std::int64_t value) {
  return Check(ok_ && sqlite3_bind_int64(statement_, ++bound_, value) == SQLITE_OK);
}

Statement& Statement::Bind(double value) {
  return Check(ok_ && sqlite3_bind_double(statement_, ++bound_, value) == SQLITE_OK);
}

Statement& Statement::BindNull() { return Check(ok_ && sqlite3_bind_null(statement_, ++bound_) == SQLITE_OK); }

absl::Status Statement::Rows(const std::function<void()>& row) {
  if (!ok_) return StatusOf(handle_, sql_);
  int code;
  while ((code = sqlite3_step(statement_)) == SQLITE_ROW) row();
  return code == SQLITE_DONE ? absl::OkStatus() : StatusOf(handle_, sql_);
}

std::string Statement::Text(int column) const {
  auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string() : std::string(text, sqlite3_column_bytes(statement_, column));
}

std::string Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);  // Null when empty.
  return std::string(static_cast<const char*>(bytes == nullptr ? "" : bytes), sqlite3_column_bytes(statement_, column));
}

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Real(int column) const { return sqlite3_column_double(statement_, column); }
bool Statement::Null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

}  // namespace cairn::sqlite
