// What the database needs of SQLite. Errors: ALREADY_EXISTS for a constraint, DATA_LOSS for a file that is damaged or
// no database, else UNAVAILABLE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cairn::sqlite {

// Made when it is missing. To be closed.
absl::StatusOr<sqlite3*> Open(const std::filesystem::path& path);
void Close(sqlite3* handle);

absl::Status Execute(sqlite3* handle, const char* sql);

// One execution of one statement: bind in order, then step.
class Statement {
 public:
  Statement(sqlite3* handle, const char* sql);
  ~Statement();
  Statement(const Statement&) = delete;

  Statement& Bind(const std::string& text);
  Statement& BindBytes(const std::string& bytes);
  Statement& Bind(std::int64_t value);
  Statement& Bind(double value);
  Statement& Bind(const std::optional<double>& value) { return value ? Bind(*value) : BindNull(); }
  Statement& Bind(std::uint64_t value) { return Bind(static_cast<std::int64_t>(value)); }
  Statement& BindNull();

  absl::Status Run() {
    return Rows([] {});
  }
  absl::Status Rows(const std::function<void()>& row);

  // Of the current row.
  std::string Text(int column) const;
  std::string Bytes(int column) const;
  std::int64_t Int(int column) const;
  double Real(int column) const;
  std::optional<double> RealIfAny(int column) const {
    return Null(column) ? std::nullopt : std::optional(Real(column));
  }
  std::uint64_t Unsigned(int column) const { return static_cast<std::uint64_t>(Int(column)); }
  bool Null(int column) const;

 private:
  Statement& Check(bool ok);

  sqlite3* handle_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
  bool ok_ = false;
  int bound_ = 0;
};

}  // namespace cairn::sqlite
