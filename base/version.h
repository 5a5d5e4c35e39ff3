#pragma once

namespace cairn {

// Of the programs and the SDK; the protocol and the file formats carry their own.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace cairn
