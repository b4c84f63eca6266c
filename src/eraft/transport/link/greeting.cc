#include "eraft/transport/link/greeting.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/mutant.h"

namespace slipway::eraft::link {
namespace {

// Stays as it is: nodes of other versions look for it.
constexpr absl::string_view kOtherData = "its data are not those that it had";
constexpr absl::string_view kNoMember = " knows no such member; was it removed, or not added yet?";

std::string RefusalOf(raft::NodeId node, absl::string_view why) {
  return absl::StrCat("greet node ", node, ": ", why);
}

absl::Status Refuse(const Hello& hello, absl::string_view why) {
  return absl::FailedPreconditionError(RefusalOf(hello.node, why));
}

// "[::1]:5001" -> "::1".
std::string HostOf(absl::string_view address) {
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return absl::AsciiStrToLower(host);
}

}  // namespace

Hello MakeHello(const Identity& own, raft::NodeId peer, Lane lane, std::optional<uint64_t> known) {
  return {.cluster = own.cluster,
          .node = own.self,
          .incarnation = own.incarnation,
          .feature_level = own.feature_level,
          .address = own.address,
          .peer = peer,
          .lane = lane,
          .peer_incarnation = known.value_or(0)};
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

absl::Status CheckNames(const Hello& hello, const std::vector<std::string>& names,
                        const std::map<raft::NodeId, std::string>& members) {
  std::vector<raft::NodeId> named;
  for (const auto& [id, address] : members) {
    const std::string host = HostOf(address);
    const bool is = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return absl::AsciiStrToLower(name) == host;
    });
    if (is && id == hello.node) return absl::OkStatus();
    if (is) named.push_back(id);
  }
  if (named.empty() || SLIPWAY_MUTANT("transport-any-name")) return absl::OkStatus();
  return Refuse(hello, absl::StrCat("its certificate is that of node ", absl::StrJoin(named, ", "),
                                    " by its name; give each node one with the host of its own "
                                    "address, or one name that is no host of a member"));
}

absl::Status CheckIncarnation(const Hello& hello, std::optional<uint64_t> known) {
  if (!known.has_value() || *known == hello.incarnation) return absl::OkStatus();
  if (SLIPWAY_MUTANT("transport-any-incarnation")) return absl::OkStatus();
  return Refuse(hello, absl::StrCat(kOtherData,
                                    "; if they were lost or wiped, a leader with --auto-repair "
                                    "takes it in again, or remove the member and add it"));
}

bool IsRefusalOfData(absl::string_view error, raft::NodeId self) {
  return absl::StrContains(error, RefusalOf(self, kOtherData));
}

absl::Status NoMember(const Identity& own, const Hello& hello) {
  return Refuse(hello, absl::StrCat("node ", own.self, kNoMember));
}

bool IsNoMember(absl::string_view error, raft::NodeId self) {
  return absl::StrContains(error, RefusalOf(self, "node ")) && absl::StrContains(error, kNoMember);
}

}  // namespace slipway::eraft::link
