// Who may do what. Thread-safe: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::cas {

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

inline std::optional<Role> ParseRole(absl::string_view name) {
  for (const Role role : {Role::kRead, Role::kWrite, Role::kAdmin}) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

struct Identity {
  std::string subject;  // empty: nobody in particular
  Role role = Role::kNone;
  bool by_key = false;  // known by a key, and only as long as the key is
};

}  // namespace slipway::cas
