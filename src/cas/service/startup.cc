#include "cas/service/startup.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/net/endpoint.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

// "mode 0755, owner uid 0" of the nearest of the directory and its parents that exists.
std::string DescribeNearest(const std::string& root, base::Files& files) {
  std::string path = root;
  while (true) {
    const auto [parent, name] = base::SplitPath(path);
    const std::string above = parent.empty() ? "/" : std::string(parent);
    const auto dir = files.OpenRoot(above);
    if (dir.ok()) {
      const auto meta = (*dir)->Stat(name);
      if (meta.ok()) {
        return absl::StrFormat("%s has mode %04o and belongs to uid %d", path, meta->mode,
                               meta->uid);
      }
    }
    if (above == "/" || above == path) return absl::StrCat(root, " cannot be looked at");
    path = above;
  }
}

}  // namespace

int Cores(int configured, base::World& world) {
  return configured > 0 ? configured : std::max(1, world.pool.threads());
}

absl::Status ConfigError(absl::string_view key, const absl::Status& status) {
  if (status.ok() || absl::IsPermissionDenied(status)) return base::Annotate(status, key);
  return base::MakeError(absl::StatusCode::kInvalidArgument,
                         absl::StrCat(key, ": ", status.message()), base::GetErrorInfo(status));
}

absl::Status StorageError(const absl::Status& status, const std::string& root, base::World& world) {
  if (absl::IsPermissionDenied(status)) {
    base::Environment& me = world.environment;
    return base::MakeError(
        status.code(),
        absl::StrCat("open storage ", root, ": user ", me.UserName(), " (uid ", me.UserId(),
                     ") may not read, write and enter it; ", DescribeNearest(root, world.files)),
        {"", absl::StrCat("as root: install -d -o ", me.UserName(), " -m 0750 ", root,
                          "; or run zako-casd as the owner, or set store.root")});
  }
  if (absl::IsAborted(status)) {
    return base::MakeError(status.code(),
                           absl::StrCat("open storage ", root, ": ", status.message()),
                           {"ZK4006",
                            "one server has one directory: stop the other one, or set "
                            "another store.root"});
  }
  const std::string id = absl::IsDataLoss(status) ? "ZK4005" : "";
  return base::WithInfo(base::Annotate(status, absl::StrCat("open storage ", root)), {id, ""});
}

absl::StatusOr<SocketAddress> AdvertisedAddress(const CasdConfig& config) {
  if (!config.transport_advertise.empty()) return ParseAddress(config.transport_advertise);
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::Endpoint endpoint,
                           base::net::ParseEndpoint(config.listen_transport));
  SocketAddress address;
  address.v4 = 0;  // unspecified
  address.port = endpoint.port;
  return address;
}

}  // namespace slipway::cas
