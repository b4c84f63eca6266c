// Who calls, by the certificate that was checked. Private to eraft/transport. Thread-safe.
#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <string>
#include <vector>

namespace slipway::eraft {

// All subject alternative names of the caller's certificate, or its common name; none: it has none.
inline std::vector<std::string> NamesOf(const grpc::CallbackServerContext& context) {
  std::vector<std::string> names;
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return names;
  for (const grpc::string_ref& name : auth->GetPeerIdentity()) {
    names.emplace_back(name.data(), name.size());
  }
  return names;
}

}  // namespace slipway::eraft
