// Early return on errors, for functions that return absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CAIRN_CONCAT_INNER(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_INNER(a, b)

// Returns the status of `expr` from the enclosing function unless it is OK.
#define CAIRN_RETURN_IF_ERROR(expr)              \
  do {                                           \
    ::absl::Status cairn_status = (expr);        \
    if (!cairn_status.ok()) return cairn_status; \
  } while (false)

// Evaluates `expr` (a StatusOr<T>); on success assigns the value to `lhs`, which may be a declaration.
#define CAIRN_ASSIGN_OR_RETURN(lhs, expr) \
  CAIRN_ASSIGN_OR_RETURN_IMPL(CAIRN_CONCAT(cairn_status_or_, __LINE__), lhs, expr)
#define CAIRN_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return tmp.status();               \
  lhs = *std::move(tmp)
