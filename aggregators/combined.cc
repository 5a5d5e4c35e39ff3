#include "aggregators/combined.h"

#include <cmath>

namespace cairn {

double Deviation::relative() const { return error_squared == 0 ? 0 : std::sqrt(error_squared / norm_squared); }

}  // namespace cairn
