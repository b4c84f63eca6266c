// eraftctl member list, add, remove, promote, replace (E169).
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/json/json.h"
#include "base/net/endpoint.h"
#include "base/status.h"
#include "eraft/cli/commands.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Align;
using base::cli::Invocation;
using client::GroupInfo;
using client::MemberInfo;
using client::MemberRole;
using client::MembershipChange;

constexpr int64_t kNodeMax = 1'000'000;
// A new member has much to fetch before it votes.
constexpr absl::Duration kChangeMax = absl::Seconds(60);
constexpr char kChangeMaxText[] = "60s";
constexpr int kHandOversMax = 3;

struct Arguments {
  std::string node, other, address;
  bool learner = false, force = false, yes = false;
};

using Context = std::shared_ptr<AdminContext>;

void Show(const GroupInfo& group, Invocation& in) {
  if (in.json) {
    in.result = Json::MakeObject({{"term", group.term}, {"leader", group.leader}});
    in.result.Set("members", ToJson(group.members));
    return;
  }
  base::cli::Table table(
      {{"NODE", Align::kRight}, {"ADDRESS"}, {"ROLE"}, {"BEHIND", Align::kRight}, {"HEARD"}});
  const bool leader = group.role == "Leader";  // the others know no progress
  for (const MemberInfo& member : group.members) {
    const bool leads = member.node == group.leader;
    table.AddRow({absl::StrCat(member.node), member.address,
                  leads ? "leader" : std::string(RoleText(member.role)),
                  leader ? absl::StrCat(group.last - std::min(group.last, member.match)) : "?",
                  !leader         ? "?"
                  : member.active ? "yes"
                                  : "no"});
  }
  in.streams.out << table.Render(in.streams);
}

absl::StatusOr<uint64_t> NodeOf(const std::string& text, Invocation& in) {
  const auto number = base::cli::internal::ParseInt(text, 1, kNodeMax);
  if (number.ok()) return static_cast<uint64_t>(*number);
  in.exit_code = base::kExitUsage;
  return base::Annotate(number.status(), absl::StrCat("node \"", text, "\""));
}

absl::Status CheckAddress(const std::string& address, Invocation& in) {
  const auto endpoint = base::net::ParseEndpoint(address);
  if (endpoint.ok() && !endpoint->host.empty() && endpoint->port != 0) return absl::OkStatus();
  in.exit_code = base::kExitUsage;
  return absl::InvalidArgumentError(
      absl::StrCat("member: \"", address, "\" is no address; write host:port"));
}

const MemberInfo* Find(const GroupInfo& group, uint64_t node) {
  const auto found = std::find_if(group.members.begin(), group.members.end(),
                                  [node](const MemberInfo& member) { return member.node == node; });
  return found == group.members.end() ? nullptr : &*found;
}

absl::Status NoMember(uint64_t node) {
  return base::MakeError(absl::StatusCode::kNotFound,
                         absl::StrCat("change members: node ", node, " is no member"),
                         {"", "eraftctl member list shows them"});
}

bool Removes(const MembershipChange& change, uint64_t node) {
  return std::find(change.remove.begin(), change.remove.end(), node) != change.remove.end();
}

absl::Status IsMemberAlready(const MemberInfo& member) {
  const bool learns = member.role == MemberRole::kLearner;
  return base::MakeError(
      absl::StatusCode::kAlreadyExists,
      absl::StrCat("add member: node ", member.node, " is one already, a ", RoleText(member.role),
                   " at ", member.address),
      {"", absl::StrCat(
               learns ? absl::StrCat("eraftctl member promote ", member.node, " makes it a voter; ")
                      : "",
               "eraftctl member remove ", member.node, " takes it out")});
}

// Decides on what the leader says, and is refused if that has changed by then.
absl::Status Change(
    const Context& context, const Arguments& arguments, Invocation& in,
    const std::function<absl::StatusOr<MembershipChange>(const GroupInfo&)>& decide) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  const absl::Duration limit =
      context->connection.timeout_given ? context->connection.limit() : kChangeMax;
  SLIPWAY_ASSIGN_OR_RETURN(GroupInfo group, GroupOf(admin->Groups(context->each())));
  SLIPWAY_ASSIGN_OR_RETURN(MembershipChange change, decide(group));
  // Who leads does not go before another one does; that one decides on the members as it sees them.
  for (int i = 0; i < kHandOversMax && Removes(change, group.leader); ++i) {
    auto leader = admin->TransferLeader(0, group.term, limit);
    if (!leader.ok()) {
      return base::Annotate(leader.status(), absl::StrCat("hand over from node ", group.leader));
    }
    if (!in.json) in.streams.out << "node " << *leader << " leads\n";
    SLIPWAY_ASSIGN_OR_RETURN(group, GroupOf(admin->Groups(context->each())));
    SLIPWAY_ASSIGN_OR_RETURN(change, decide(group));
  }
  change.expected_term = group.term;
  change.force = arguments.force;
  SLIPWAY_ASSIGN_OR_RETURN(group.members, admin->ChangeMembership(change, limit));
  if (!in.json) {
    for (const MemberInfo& member : change.add) {
      in.streams.out << "node " << member.node << " is a " << RoleText(member.role) << "\n";
    }
    for (const uint64_t node : change.remove) {
      in.streams.out << "node " << node << " is no member any more\n";
    }
    return absl::OkStatus();
  }
  in.result = Json::MakeObject();
  in.result.Set("members", ToJson(group.members));
  return absl::OkStatus();
}

absl::Status Add(const Context& context, const Arguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t node, NodeOf(arguments.node, in));
  SLIPWAY_RETURN_IF_ERROR(CheckAddress(arguments.address, in));
  return Change(
      context, arguments, in, [&](const GroupInfo& group) -> absl::StatusOr<MembershipChange> {
        if (const MemberInfo* member = Find(group, node); member != nullptr) {
          return IsMemberAlready(*member);
        }
        MembershipChange change;
        change.add.push_back({node, arguments.address,
                              arguments.learner ? MemberRole::kLearner : MemberRole::kVoter});
        return change;
      });
}

absl::Status Remove(const Context& context, const Arguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t node, NodeOf(arguments.node, in));
  SLIPWAY_RETURN_IF_ERROR(in.Confirm(absl::StrCat("remove node ", node), arguments.yes, ""));
  return Change(context, arguments, in,
                [&](const GroupInfo& group) -> absl::StatusOr<MembershipChange> {
                  if (Find(group, node) == nullptr) return NoMember(node);
                  MembershipChange change;
                  change.remove.push_back(node);
                  return change;
                });
}

absl::Status Promote(const Context& context, const Arguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t node, NodeOf(arguments.node, in));
  return Change(context, arguments, in,
                [&](const GroupInfo& group) -> absl::StatusOr<MembershipChange> {
                  const MemberInfo* member = Find(group, node);
                  if (member == nullptr) return NoMember(node);
                  if (member->role != MemberRole::kLearner) {
                    return absl::FailedPreconditionError(
                        absl::StrCat("promote node ", node, ": it is no learner"));
                  }
                  MembershipChange change;
                  change.add.push_back({node, member->address, MemberRole::kVoter});
                  return change;
                });
}

absl::Status Replace(const Context& context, const Arguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t old, NodeOf(arguments.node, in));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t node, NodeOf(arguments.other, in));
  SLIPWAY_RETURN_IF_ERROR(CheckAddress(arguments.address, in));
  SLIPWAY_RETURN_IF_ERROR(
      in.Confirm(absl::StrCat("replace node ", old, " by node ", node), arguments.yes, ""));
  return Change(context, arguments, in,
                [&](const GroupInfo& group) -> absl::StatusOr<MembershipChange> {
                  if (Find(group, old) == nullptr) return NoMember(old);
                  MembershipChange change;
                  change.add.push_back({node, arguments.address, MemberRole::kVoter});
                  change.remove.push_back(old);
                  return change;
                });
}

}  // namespace

absl::string_view RoleText(MemberRole role) {
  return role == MemberRole::kVoter     ? "voter"
         : role == MemberRole::kLearner ? "learner"
                                        : "leaving";
}

Json ToJson(const std::vector<MemberInfo>& members) {
  Json list = Json::MakeArray();
  for (const MemberInfo& member : members) {
    list.Append(Json::MakeObject({{"node", member.node},
                                  {"address", member.address},
                                  {"role", std::string(RoleText(member.role))},
                                  {"match", member.match},
                                  {"active", member.active}}));
  }
  return list;
}

void AddMemberCommands(base::cli::Program& program, const Context& context) {
  auto arguments = std::make_shared<Arguments>();
  program.AddGroup("member", "Members of the group");
  base::cli::Command& list = program.Add("member list", "Show the members");
  list.Run([context](Invocation& in) -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
    SLIPWAY_ASSIGN_OR_RETURN(const GroupInfo group, GroupOf(admin->Groups(context->each())));
    Show(group, in);
    return absl::OkStatus();
  });

  const auto force = [&](base::cli::Command& command) {
    command.Flag("--force", &arguments->force,
                 "Also when those who are heard from would be no quorum");
  };
  base::cli::Command& add = program.Add("member add", "Take a node in");
  add.Example("eraftctl member add 4 kv-3:5001",
              "there runs kvserver -id 3 --join --cluster-token TOKEN …");
  add.Argument("NODE", &arguments->node, "Its id: that of -id, plus 1").Required();
  add.Argument("ADDRESS", &arguments->address, "host:port").Required();
  add.Flag("--learner", &arguments->learner, "It gets everything and does not vote");
  force(add);
  add.Run([context, arguments](Invocation& in) { return Add(context, *arguments, in); });

  base::cli::Command& remove = program.Add("member remove", "Let a node go");
  remove.Argument("NODE", &arguments->node, "Its id").Required();
  remove.Flag("--yes,-y", &arguments->yes, "Do not ask");
  force(remove);
  remove.Run([context, arguments](Invocation& in) { return Remove(context, *arguments, in); });

  base::cli::Command& promote = program.Add("member promote", "Make a voter of a learner");
  promote.Argument("NODE", &arguments->node, "Its id").Required();
  force(promote);
  promote.Run([context, arguments](Invocation& in) { return Promote(context, *arguments, in); });

  base::cli::Command& replace = program.Add("member replace", "Take one node in for another");
  replace.Example("eraftctl member replace 2 4 kv-3:5001 --yes");
  replace.Argument("OLD", &arguments->node, "Id of the one that goes").Required();
  replace.Argument("NEW", &arguments->other, "Id of the one that comes").Required();
  replace.Argument("ADDRESS", &arguments->address, "Its host:port").Required();
  replace.Flag("--yes,-y", &arguments->yes, "Do not ask");
  force(replace);
  replace.Run([context, arguments](Invocation& in) { return Replace(context, *arguments, in); });

  context->connection.Declare(list);
  for (base::cli::Command* command : {&add, &remove, &promote, &replace}) {
    context->connection.Declare(*command, kChangeMaxText);
  }
}

}  // namespace slipway::eraft::cli
