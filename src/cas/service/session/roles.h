// Who may do what. Thread-safe: values.
#pragma once

#include <string>

#include "base/net/roles.h"

namespace slipway::cas {

using base::net::Includes;
using base::net::ParseRole;
using base::net::Role;
using base::net::RoleName;

struct Identity {
  std::string subject;  // empty: nobody in particular
  Role role = Role::kNone;
  bool by_key = false;  // known by a key, and only as long as the key is
};

}  // namespace slipway::cas
