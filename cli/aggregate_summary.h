// What `cairn aggregate` prints at its end.
#pragma once

#include <string>

#include "adapter/dtype.h"
#include "aggregators/combine_report.h"

namespace cairn {

// Every client with its weight, the modules in a few lines with the worst of them, and recipients where there are any.
std::string SummaryOf(const CombineReport& report);

// "12.3 MiB".
std::string BytesText(std::uint64_t bytes);

}  // namespace cairn
