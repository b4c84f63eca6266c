// Who may speak to whom (E123). Thread-safe: free functions, plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "eraft/transport/link/wire.h"

namespace slipway::eraft::link {

// What this node says of itself.
struct Identity {
  wal::ClusterId cluster{};
  raft::NodeId self = raft::kNoNode;
  uint64_t incarnation = 0;
  uint32_t feature_level = 1;
  uint32_t feature_level_min = 1;
  std::string address;
};

// `known`: what is known of the peer's data.
Hello MakeHello(const Identity& own, raft::NodeId peer, Lane lane,
                std::optional<uint64_t> known = std::nullopt);

// Whether `hello` is meant for this node and of its cluster. FailedPrecondition with the reason.
absl::Status CheckHello(const Identity& own, const Hello& hello);
// Whether a certificate with `names` may be of node `speaker`. A name that is the host of members,
// whose addresses are `members`, is theirs, and then it must be one of them who speaks; names that
// no member has bind nobody. Empty: there is no certificate.
absl::Status CheckNames(const Hello& hello, const std::vector<std::string>& names,
                        const std::map<raft::NodeId, std::string>& members);
// Whether the data of the node that says `hello` are those that are known of it; nullopt: none are.
absl::Status CheckIncarnation(const Hello& hello, std::optional<uint64_t> known);
// Whether `error`, what a peer answered to a greeting of `self`, is CheckIncarnation's.
bool IsRefusalOfData(absl::string_view error, raft::NodeId self);
// That `own` has no member who says `hello`; and whether `error` is that of a peer to `self`.
absl::Status NoMember(const Identity& own, const Hello& hello);
bool IsNoMember(absl::string_view error, raft::NodeId self);

}  // namespace slipway::eraft::link
