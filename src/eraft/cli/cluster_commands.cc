// eraftctl health, status, alarms, set, drain, transfer, snapshot take.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/json/json.h"
#include "base/status.h"
#include "base/sync/wait.h"
#include "base/units.h"
#include "eraft/cli/commands.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Align;
using base::cli::Invocation;
using client::FromNode;
using client::GroupInfo;
using client::NodeInfo;

constexpr absl::Duration kEach = absl::Seconds(1), kEachMax = absl::Seconds(5);
constexpr int64_t kNodeMax = 1'000'000;

using Context = std::shared_ptr<AdminContext>;

// The first error, if nobody has answered.
template <class T>
absl::Status NobodyOf(const std::vector<FromNode<T>>& answers, absl::string_view what) {
  for (const auto& node : answers) {
    if (node.answer.ok()) return absl::OkStatus();
  }
  return base::Annotate(answers.front().answer.status(),
                        absl::StrCat(what, ": no server answered: ", answers.front().address));
}

// What the node itself says of it, which needs more rights than to ask whether it serves.
std::string WhyNotReady(const FromNode<NodeInfo>& node) {
  if (!node.answer.ok()) return "";
  std::vector<std::string> why = node.answer->not_ready;
  if (node.answer->phase == "draining") why.insert(why.begin(), node.answer->phase);
  return absl::StrJoin(why, "; ");
}

absl::Status Health(const Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  const auto nodes = admin->Health(context->each());
  const bool all_well =
      std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.answer.ok(); });
  const Infos infos = all_well ? Infos(nodes.size()) : admin->Infos(context->each());
  Json list = Json::MakeArray();
  size_t well = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    const bool ok = node.answer.ok();
    well += ok ? 1 : 0;
    std::string why(node.answer.status().message());
    if (const std::string more = ok ? "" : WhyNotReady(infos[i]); !more.empty()) {
      absl::StrAppend(&why, ": ", more);
    }
    Json json = Json::MakeObject({{"address", node.address}, {"healthy", ok}});
    if (!ok) json.Set("error", why);
    list.Append(std::move(json));
    if (!in.json) {
      in.streams.out << node.address << (ok ? " is healthy" : absl::StrCat(" is not: ", why))
                     << "\n";
    }
  }
  if (in.json) in.result = Json::MakeObject({{"nodes", std::move(list)}});
  if (well == nodes.size()) return absl::OkStatus();
  in.exit_code = base::kExitFailure;
  std::string hint;
  for (const auto& node : nodes) {
    if (hint.empty()) hint = base::GetErrorInfo(node.answer.status()).hint;
  }
  return base::MakeError(
      absl::StatusCode::kUnavailable,
      absl::StrCat("health: ", nodes.size() - well, " of ", nodes.size(), " nodes do not serve"),
      {"", hint});
}

void ShowStatus(const Infos& infos, const Groups& groups, Invocation& in) {
  base::cli::Table table({{"NODE", Align::kRight},
                          {"ADDRESS"},
                          {"ROLE"},
                          {"TERM", Align::kRight},
                          {"COMMIT", Align::kRight},
                          {"APPLIED", Align::kRight},
                          {"KEYS", Align::kRight},
                          {"STORAGE", Align::kRight},
                          {"FREE", Align::kRight},
                          {"VERSION"}});
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto& answer = groups[i].answer;
    if (!answer.ok() || answer->empty()) {
      table.AddRow({"-", groups[i].address, "Offline", "-", "-", "-", "-", "-", "-", "-"},
                   base::cli::Tone::kRed);
      continue;
    }
    const GroupInfo& group = answer->front();
    const bool known = infos[i].answer.ok();  // asks for more rights than the group
    table.AddRow({known ? absl::StrCat(infos[i].answer->node) : "?", groups[i].address,
                  group.installing ? "Installing" : group.role, absl::StrCat(group.term),
                  absl::StrCat(group.commit), absl::StrCat(group.applied), absl::StrCat(group.keys),
                  base::FormatSize(group.storage_bytes),
                  known ? base::FormatSize(infos[i].answer->disk_free_bytes) : "?",
                  known ? infos[i].answer->version : "?"});
  }
  in.streams.out << table.Render(in.streams);
}

Json NodeJson(const NodeInfo& info) {
  Json json = Json::MakeObject({{"node", info.node},
                                {"version", info.version},
                                {"commit", info.commit},
                                {"cluster", info.cluster},
                                {"incarnation", absl::StrCat(info.incarnation)},  // above 2^53
                                {"feature_level", info.feature_level},
                                {"engine", info.engine},
                                {"directory", info.directory},
                                {"uptime_ms", absl::ToInt64Milliseconds(info.uptime)},
                                {"disk_free_bytes", info.disk_free_bytes},
                                {"sync_us", absl::ToInt64Microseconds(info.sync)}});
  if (!info.phase.empty()) json.Set("phase", info.phase);
  Json not_ready = Json::MakeArray();
  for (const std::string& reason : info.not_ready) not_ready.Append(reason);
  json.Set("not_ready", std::move(not_ready));
  Json options = Json::MakeArray();
  for (const std::string& option : info.options) options.Append(option);
  json.Set("options", std::move(options));
  Json peers = Json::MakeArray();
  for (const client::PeerInfo& peer : info.peers) {
    Json entry = Json::MakeObject({{"node", peer.node},
                                   {"address", peer.address},
                                   {"reachable", peer.reachable},
                                   {"rtt_us", absl::ToInt64Microseconds(peer.rtt)}});
    if (!peer.error.empty()) entry.Set("error", peer.error);
    peers.Append(std::move(entry));
  }
  json.Set("peers", std::move(peers));
  return json;
}

absl::Status Status(const Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  Groups groups;
  Infos infos;
  // At the same time: one that hangs costs its time once (E29).
  SLIPWAY_RETURN_IF_ERROR(base::ParallelFor(in.world.pool, 2, [&](size_t i) {
    if (i == 0) groups = admin->Groups(context->each());
    if (i == 1) infos = admin->Infos(context->each());
    return absl::OkStatus();
  }));
  if (in.json) {
    Json list = Json::MakeArray();
    for (size_t i = 0; i < groups.size(); ++i) {
      Json json = infos[i].answer.ok() ? NodeJson(*infos[i].answer) : Json::MakeObject();
      json.Set("address", groups[i].address);
      json.Set("online", groups[i].answer.ok());
      if (groups[i].answer.ok()) {
        Json all = Json::MakeArray();
        for (const GroupInfo& group : *groups[i].answer) all.Append(ToJson(group));
        json.Set("groups", std::move(all));
      } else {
        json.Set("error", std::string(groups[i].answer.status().message()));
      }
      list.Append(std::move(json));
    }
    in.result = Json::MakeObject({{"nodes", std::move(list)}});
  } else {
    ShowStatus(infos, groups, in);
  }
  return NobodyOf(groups, "status");
}

absl::Status ShowAlarms(const Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  const AlarmLists nodes = admin->Alarms(context->each());
  Json list = Json::MakeArray();
  size_t count = 0;
  for (const auto& node : nodes) {
    Json json = Json::MakeObject({{"address", node.address}});
    Json own = Json::MakeArray();
    if (node.answer.ok()) {
      for (const std::string& alarm : *node.answer) {
        ++count;
        own.Append(alarm);
        if (!in.json) in.streams.out << node.address << " " << alarm << "\n";
      }
      json.Set("alarms", std::move(own));
    } else {
      json.Set("error", std::string(node.answer.status().message()));
      if (!in.json) {
        in.streams.err << node.address << " says nothing: " << node.answer.status().message()
                       << "\n";
      }
    }
    list.Append(std::move(json));
  }
  SLIPWAY_RETURN_IF_ERROR(NobodyOf(nodes, "alarms"));
  // Nobody tells those of another member.
  const auto group = GroupOf(admin->Groups(context->each()));
  if (group.ok() && group->members.size() > nodes.size()) {
    in.Warn("", absl::StrCat(nodes.size(), " of ", group->members.size(),
                             " members were asked; name all in --addrs"));
  }
  if (in.json) {
    in.result = Json::MakeObject({{"nodes", std::move(list)}});
  } else if (count == 0 && !in.quiet) {
    in.streams.out << "no alarms\n";
  }
  return absl::OkStatus();
}

struct SetArguments {
  std::optional<std::string> name, value;
};

// All nodes: a setting that only some have is a riddle later.
absl::Status Set(const Context& context, const SetArguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  if (!arguments.name.has_value()) {
    const Infos infos = admin->Infos(context->each());
    SLIPWAY_RETURN_IF_ERROR(NobodyOf(infos, "set"));
    for (const auto& node : infos) {
      if (!node.answer.ok()) continue;
      Json json = Json::MakeObject();
      for (const std::string& option : node.answer->options) {
        if (!in.json) in.streams.out << node.address << " " << option << "\n";
        const size_t equals = option.find('=');
        json.Set(option.substr(0, equals),
                 equals == std::string::npos ? "" : option.substr(equals + 1));
      }
      in.result.Set(node.address, std::move(json));
    }
    return absl::OkStatus();
  }
  if (!arguments.value.has_value()) {
    in.exit_code = base::kExitUsage;
    return absl::InvalidArgumentError("set: no VALUE; write set NAME VALUE");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const client::ConnectOptions options, context->connection.Resolve(in));
  absl::Status first;
  for (const std::string& address : options.addresses) {
    const auto before =
        admin->SetOption(address, *arguments.name, *arguments.value, context->connection.limit());
    if (!before.ok()) {
      first.Update(before.status());
      if (!in.json) in.streams.err << "not set: " << before.status().message() << "\n";
      continue;
    }
    if (!in.json) {
      in.streams.out << address << " " << *arguments.name << ": " << *before << " -> "
                     << *arguments.value << "\n";
    }
    in.result.Set(address, Json::MakeObject({{"before", *before}, {"now", *arguments.value}}));
  }
  return first;
}

absl::Status Drain(const Context& context, const std::string& address, Invocation& in) {
  AdminContext one = *context;
  one.connection.addrs = address;
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, one.Connect(in));
  SLIPWAY_RETURN_IF_ERROR(admin->Drain(address, context->connection.limit()));
  if (!in.json) in.streams.out << address << " hands its office over and begins nothing new\n";
  return absl::OkStatus();
}

absl::Status TakeSnapshot(const Context& context, const std::string& address, Invocation& in) {
  AdminContext one = *context;
  one.connection.addrs = address;
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, one.Connect(in));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t index,
                           admin->Snapshot(address, context->connection.limit()));
  in.result = Json::MakeObject({{"index", index}});
  if (!in.json) in.streams.out << "snapshot at index " << index << "\n";
  return absl::OkStatus();
}

absl::Status Transfer(const Context& context, int64_t node, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
  SLIPWAY_ASSIGN_OR_RETURN(const GroupInfo group, GroupOf(admin->Groups(context->each())));
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t leader,
      admin->TransferLeader(static_cast<uint64_t>(node), group.term, context->connection.limit()));
  in.result = Json::MakeObject({{"leader", leader}});
  if (!in.json) in.streams.out << "node " << leader << " leads\n";
  return absl::OkStatus();
}

}  // namespace

base::Owned<client::AdminClient> AdminContext::Connect(Invocation& in) const {
  auto options = connection.Resolve(in);
  if (options.ok()) {
    auto admin = open(*options, in.world, in.cancel);
    if (admin.ok()) return admin;
    in.exit_code = base::kExitUsage;
    return admin.status();
  }
  in.exit_code = base::kExitUsage;
  return options.status();
}

absl::Duration AdminContext::each() const {
  return connection.timeout_given ? std::min(connection.limit(), kEachMax) : kEach;
}

absl::StatusOr<GroupInfo> GroupOf(const Groups& groups) {
  const GroupInfo* best = nullptr;
  for (const auto& node : groups) {
    if (!node.answer.ok() || node.answer->empty()) continue;
    const GroupInfo& group = node.answer->front();
    const auto rank = [](const GroupInfo& g) { return std::pair(g.role == "Leader", g.term); };
    if (best == nullptr || rank(group) > rank(*best)) best = &group;
  }
  if (best != nullptr) return *best;
  SLIPWAY_RETURN_IF_ERROR(NobodyOf(groups, "ask the group"));
  return absl::UnavailableError("ask the group: no node that answers has it");
}

Json ToJson(const GroupInfo& group) {
  Json json = Json::MakeObject({{"id", group.id},
                                {"role", group.role},
                                {"leader", group.leader},
                                {"term", group.term},
                                {"commit", group.commit},
                                {"applied", group.applied},
                                {"first", group.first},
                                {"last", group.last},
                                {"snapshot", group.snapshot},
                                {"keys", group.keys},
                                {"bytes", group.bytes},
                                {"sessions", group.sessions},
                                {"storage_bytes", group.storage_bytes},
                                {"installing", group.installing}});
  json.Set("members", ToJson(group.members));
  return json;
}

void AddClusterCommands(base::cli::Program& program, const Context& context) {
  base::cli::Command& health = program.Add("health", "Ask nodes whether they serve: 0 or 1");
  health.Example("eraftctl health -addrs localhost:5001", "for health checks of containers");
  health.Run([context](Invocation& in) { return Health(context, in); });

  base::cli::Command& status = program.Add("status", "Show nodes and their group");
  status.Run([context](Invocation& in) { return Status(context, in); });

  base::cli::Command& alarms = program.Add("alarms", "Show what nodes raise an alarm about");
  alarms.Run([context](Invocation& in) { return ShowAlarms(context, in); });

  auto set_arguments = std::make_shared<SetArguments>();
  base::cli::Command& set = program.Add("set", "Show or change options of running nodes");
  set.Example("eraftctl set log_level debug");
  set.Description(
      "Without arguments it shows what can be changed. A change lasts until a restart.");
  set.Argument("NAME", &set_arguments->name, "Option");
  set.Argument("VALUE", &set_arguments->value, "Its new value");
  set.Run([context, set_arguments](Invocation& in) { return Set(context, *set_arguments, in); });

  auto address = std::make_shared<std::string>();
  base::cli::Command& drain = program.Add("drain", "Let a node hand its office over and leave off");
  drain.Argument("ADDRESS", address.get(), "Of the node").Required();
  drain.Run([context, address](Invocation& in) { return Drain(context, *address, in); });

  auto node = std::make_shared<std::optional<std::string>>();
  base::cli::Command& transfer = program.Add("transfer", "Hand the leader's office over");
  transfer.Argument("NODE", node.get(), "To whom (without: whoever is ahead)");
  transfer.Run([context, node](Invocation& in) -> absl::Status {
    int64_t to = 0;
    if (node->has_value()) {
      const auto number = base::cli::internal::ParseInt(**node, 1, kNodeMax);
      if (!number.ok()) {
        in.exit_code = base::kExitUsage;
        return base::Annotate(number.status(), absl::StrCat("transfer to ", **node));
      }
      to = *number;
    }
    return Transfer(context, to, in);
  });

  program.AddGroup("snapshot", "Snapshots of nodes");
  base::cli::Command& take = program.Add("snapshot take", "Take a snapshot now");
  take.Argument("ADDRESS", address.get(), "Of the node").Required();
  take.Run([context, address](Invocation& in) { return TakeSnapshot(context, *address, in); });

  for (base::cli::Command* command : {&health, &status, &alarms, &set, &drain, &transfer, &take}) {
    context->connection.Declare(*command);
  }
}

}  // namespace slipway::eraft::cli
