// Who may do what on a server. Thread-safe: values.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace slipway::base::net {

// Each includes those before it.
enum class Role : uint8_t { kNone, kRead, kWrite, kAdmin };

inline bool Includes(Role has, Role needed) { return has >= needed; }

inline absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kRead:
      return "read";
    case Role::kWrite:
      return "write";
    case Role::kAdmin:
      return "admin";
  }
  return "none";
}

// The role that a file of keys or tokens means by `name`.
inline std::optional<Role> ParseRole(absl::string_view name) {
  for (const Role role : {Role::kRead, Role::kWrite, Role::kAdmin}) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

}  // namespace slipway::base::net
