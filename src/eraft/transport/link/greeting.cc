#include "eraft/transport/link/greeting.h"

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/mutant.h"

namespace slipway::eraft::link {
namespace {

absl::Status Refuse(const Hello& hello, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("greet node ", hello.node, ": ", why));
}

}  // namespace

Hello MakeHello(const Identity& own, raft::NodeId peer, Lane lane) {
  return {.cluster = own.cluster,
          .node = own.self,
          .incarnation = own.incarnation,
          .feature_level = own.feature_level,
          .address = own.address,
          .peer = peer,
          .lane = lane};
}

absl::Status CheckHello(const Identity& own, const Hello& hello) {
  if (hello.cluster != own.cluster) {
    return Refuse(hello, absl::StrCat("it belongs to cluster ", base::ToHex(hello.cluster),
                                      ", node ", own.self, " to ", base::ToHex(own.cluster),
                                      "; compare the addresses and the cluster token of both"));
  }
  if (hello.peer != own.self) {
    return Refuse(hello, absl::StrCat("it looks for node ", hello.peer, " and found node ",
                                      own.self, "; compare the addresses in both configurations"));
  }
  if (hello.node == own.self) {
    return Refuse(hello, "that is this node's own id; give each node an id of its own");
  }
  if (hello.node == raft::kNoNode) return Refuse(hello, "it says no id");
  if (hello.incarnation == 0) return Refuse(hello, "it says no incarnation");
  if (hello.feature_level < own.feature_level_min) {
    return Refuse(hello,
                  absl::StrCat("it understands level ", hello.feature_level, ", the least here is ",
                               own.feature_level_min, "; upgrade it"));
  }
  return absl::OkStatus();
}

absl::Status CheckIncarnation(const Hello& hello, std::optional<uint64_t> known) {
  if (!known.has_value() || *known == hello.incarnation) return absl::OkStatus();
  if (SLIPWAY_MUTANT("transport-any-incarnation")) return absl::OkStatus();
  return Refuse(hello,
                "its data are not those that it had; if they were lost or wiped, remove the member "
                "and add it again");
}

}  // namespace slipway::eraft::link
