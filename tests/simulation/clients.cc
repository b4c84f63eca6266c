#include "clients.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "eraft/store/command.h"

namespace slipway::eraft::simulation {
namespace {

using check::RegisterModel;
using Kind = RegisterModel::Kind;

constexpr absl::Duration kAttemptMax = absl::Milliseconds(600);
constexpr int kAttemptsMax = 6;  // of a client that gives up
constexpr uint64_t kGiveUpPercent = 15;

CommandOp OpOf(Kind kind) {
  switch (kind) {
    case Kind::kAppend:
      return CommandOp::kAppend;
    case Kind::kDelete:
      return CommandOp::kDelete;
    case Kind::kCompareAndSet:
      return CommandOp::kCompareAndSet;
    default:
      return CommandOp::kPut;
  }
}

}  // namespace

struct Clients::Client {
  int number = 0;
  ClientId id = 0;
  CommandId command = 0;
  std::set<std::pair<GroupId, ShardId>> sessions;  // strict ones, registered
  bool registering = false;
  bool sessionless = false;    // sends nothing twice that may have been executed
  raft::NodeId favourite = 1;  // who answered last
  // The operation under way; of `history_` only when it ends or is given up.
  bool busy = false;
  check::Operation<RegisterModel> operation;
  GroupId group = 1;
  ShardId shard = 0;
  ReadMode mode = ReadMode::kLinearizable;
  int attempts = 0;
  bool gives_up = false, maybe_done = false;
  uint64_t attempt = 0;  // names the one under way: late answers to others mean nothing
  uint64_t timer = 0;
  std::optional<std::string> last_read;
};

Clients::Clients(Common& common, std::vector<std::unique_ptr<Machine>>& machines,
                 ClientOptions options)
    : common_(common),
      machines_(machines),
      options_(options),
      choices_(base::sim::Mix(common.seed, 20)),
      start_(common.clock.Monotonic()) {}

Clients::~Clients() = default;

void Clients::Start() {
  for (int i = 0; i < options_.count; ++i) {
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->number = i;
    Renew(*clients_.back());
    Next(*clients_.back());
  }
}

// A new identity: what the old one left under way may still happen, so it says nothing more.
void Clients::Renew(Client& client) {
  client.id = next_client_++;
  client.command = 0;
  client.sessions.clear();
}

bool Clients::done() const {
  return std::none_of(clients_.begin(), clients_.end(),
                      [](const auto& client) { return client->busy; });
}

void Clients::Next(Client& client) {
  if (finishing_) return;
  const auto pause = absl::Microseconds(static_cast<int64_t>(100 + choices_.Below(8000)));
  common_.loop.After(pause, [this, &client] {
    if (finishing_) return;
    Choose(client);
    Try(client);
  });
}

void Clients::Choose(Client& client) {
  client.busy = true;
  client.attempts = 0;
  client.maybe_done = false;
  client.gives_up = choices_.Chance(kGiveUpPercent);
  client.group = static_cast<GroupId>(1 + choices_.Below(static_cast<uint64_t>(common_.groups)));
  ++client.command;
  check::Operation<RegisterModel>& operation = client.operation;
  operation = {};
  operation.client = client.number;
  operation.call = absl::ToInt64Nanoseconds(now());
  RegisterModel::Input& input = operation.input;
  const uint64_t dice = choices_.Below(100);
  const bool special = dice < 8;  // delete and compare-and-set have a key of their own
  const uint64_t key = special ? 99 : choices_.Below(static_cast<uint64_t>(options_.keys));
  client.shard = ShardOf(key);
  input.key = absl::StrCat(client.group, "/k", key);
  client.sessionless = choices_.Chance(10) || options_.short_sessions;
  client.registering = !client.sessionless && options_.strict &&
                       client.sessions.count({client.group, client.shard}) == 0;
  input.kind = dice < 3    ? Kind::kDelete
               : dice < 6  ? Kind::kCompareAndSet
               : dice < 8  ? Kind::kGet
               : dice < 18 ? Kind::kPut
               : dice < 50 ? Kind::kAppend
                           : Kind::kGet;
  if (input.kind == Kind::kGet) {
    client.mode =
        options_.leases && choices_.Chance(60) ? ReadMode::kLease : ReadMode::kLinearizable;
    if (client.mode == ReadMode::kLease) ++lease_reads_;
    return;
  }
  const uint64_t pad = options_.pad_bytes_max > 0 && choices_.Chance(20)
                           ? choices_.Below(options_.pad_bytes_max)
                           : 0;
  input.value = absl::StrCat("[", client.id, ".", client.command, std::string(pad, '-'), "]");
  if (input.kind == Kind::kCompareAndSet) input.expected = client.last_read;
}

void Clients::Try(Client& client) {
  ++client.attempts;
  const uint64_t attempt = ++client.attempt;
  raft::NodeId to = client.favourite;
  if (client.attempts > 1 || choices_.Chance(20)) to = 1 + choices_.Below(machines_.size());
  client.favourite = to;
  const absl::Duration wait =
      kAttemptMax + absl::Milliseconds(static_cast<int64_t>(choices_.Below(200)));
  client.timer = common_.loop.After(wait, [this, &client, attempt] {
    if (attempt != client.attempt) return;
    client.timer = 0;
    Again(client, /*maybe_done=*/true);
  });
  Machine& machine = *machines_[to - 1];
  if (!machine.up()) return Again(client, /*maybe_done=*/false);
  if (client.operation.input.kind == Kind::kGet && !client.registering) {
    TryRead(client, machine);
  } else {
    TryWrite(client, machine);
    // The network may deliver a request twice, to two nodes even.
    Machine& other = *machines_[choices_.Below(machines_.size())];
    if (client.sessionless || !choices_.Chance(5) || !other.up()) return;
    client.maybe_done = true;
    TryWrite(client, other);
  }
}

void Clients::TryWrite(Client& client, Machine& machine) {
  const RegisterModel::Input& input = client.operation.input;
  Command command;
  command.op = client.registering ? CommandOp::kRegisterSession : OpOf(input.kind);
  command.strict = options_.strict && !client.registering && !client.sessionless;
  command.shard = client.shard;
  command.client = client.sessionless ? 0 : client.id;
  command.command = client.command;
  command.acknowledged = command.strict ? client.command : 0;
  if (!client.registering) {
    command.key = input.key;
    command.value = input.value;
    if (input.kind == Kind::kDelete) command.value.clear();
    if (input.kind == Kind::kCompareAndSet) {
      command.expect_absent = !input.expected.has_value();
      command.expected = input.expected.value_or("");
    }
  }
  // The process takes the request when it gets to it; a dead one never does.
  machine.loop().Post([this, &client, &machine, command, attempt = client.attempt]() mutable {
    if (!machine.up()) return;
    command.time_ms = static_cast<uint64_t>(absl::ToUnixMillis(machine.clock().Wall()));
    machine.node()->Propose(client.group, EncodeCommand(command),
                            machine.clock().Monotonic() + kAttemptMax,
                            [this, &client, attempt](const absl::StatusOr<Outcome>& outcome) {
                              if (attempt == client.attempt) OnWritten(client, outcome);
                            });
  });
}

void Clients::OnWritten(Client& client, const absl::StatusOr<Outcome>& outcome) {
  if (absl::IsInvalidArgument(outcome.status())) {
    return common_.checkers[client.group - 1].Violate(outcome.status().ToString());
  }
  if (!outcome.ok()) return Again(client, FateOf(outcome.status()) == Fate::kUnknown);
  const Answer& answer = outcome->answer;
  switch (answer.code) {
    case AnswerCode::kInvalid:
    case AnswerCode::kWindowFull:
    case AnswerCode::kTooLarge:
      return common_.checkers[client.group - 1].Violate(
          absl::StrCat("command ", client.command, " of client ", client.id, " is answered ",
                       AnswerCodeName(answer.code)));
    case AnswerCode::kUnknownSession:
      return common_.checkers[client.group - 1].Violate(
          absl::StrCat("the registered session of client ", client.id, " is forgotten"));
    case AnswerCode::kStale:
      return common_.checkers[client.group - 1].Violate(
          absl::StrCat("client ", client.id, " has one command under way, ", client.command,
                       ", and is told it is stale"));
    default:
      break;
  }
  if (answer.index != 0) {
    common_.checkers[client.group - 1].OnAcknowledged(client.sessionless ? 0 : client.id,
                                                      client.command, answer.index);
  }
  RegisterModel::Output output;
  output.swapped = answer.code == AnswerCode::kOk;
  client.operation.output = output;
  Complete(client);
}

void Clients::TryRead(Client& client, Machine& machine) {
  machine.loop().Post([this, &client, &machine, attempt = client.attempt] {
    if (!machine.up()) return;
    ReadOptions options;
    options.mode = client.mode;
    options.deadline = machine.clock().Monotonic() + kAttemptMax;
    machine.node()->Get(
        client.group, client.shard, client.operation.input.key, options,
        [this, &client, attempt](const absl::StatusOr<std::optional<std::string>>& value) {
          if (attempt == client.attempt) OnRead(client, value);
        });
  });
}

void Clients::OnRead(Client& client, const absl::StatusOr<std::optional<std::string>>& value) {
  if (!value.ok()) return Again(client, false);
  RegisterModel::Output output;
  output.value = *value;
  if (client.operation.input.key.find("/k99") != std::string::npos) client.last_read = *value;
  client.operation.output = std::move(output);
  Complete(client);
}

void Clients::Again(Client& client, bool maybe_done) {
  ++client.attempt;
  ++retries_;
  client.maybe_done |= maybe_done;
  if (client.timer != 0) common_.loop.Cancel(std::exchange(client.timer, 0));
  const bool reads = client.operation.input.kind == Kind::kGet;
  if (client.sessionless && client.maybe_done && !reads) return GiveUp(client);
  if (client.gives_up && client.attempts >= kAttemptsMax && !finishing_) return GiveUp(client);
  const auto pause = absl::Microseconds(static_cast<int64_t>(500 + choices_.Below(30'000)));
  common_.loop.After(pause, [this, &client, attempt = client.attempt] {
    if (attempt == client.attempt && client.busy) Try(client);
  });
}

// The client never learns what became of it. A command that surely is not executed, and a read, are
// as if they had not been.
void Clients::GiveUp(Client& client) {
  ++client.attempt;
  if (client.timer != 0) common_.loop.Cancel(std::exchange(client.timer, 0));
  client.busy = false;
  const bool reads = client.operation.input.kind == Kind::kGet;
  if (!reads && client.maybe_done && !client.registering) {
    ++unknown_;
    client.operation.end = check::kNever;
    client.operation.output.reset();
    history_.push_back(client.operation);
  }
  Renew(client);
  Next(client);
}

void Clients::Complete(Client& client) {
  ++client.attempt;
  if (client.timer != 0) common_.loop.Cancel(std::exchange(client.timer, 0));
  client.busy = false;
  ++completed_;
  common_.trace.AddAll(client.id, client.command, absl::ToInt64Nanoseconds(now()));
  if (client.registering) {
    client.sessions.insert({client.group, client.shard});
  } else {
    client.operation.end = absl::ToInt64Nanoseconds(now());
    common_.trace.Say([&] {
      return absl::StrCat(
          "client ", client.number, ": ",
          RegisterModel::Describe(client.operation.input, &*client.operation.output));
    });
    history_.push_back(client.operation);
  }
  Next(client);
}

void Clients::Burst(raft::NodeId node, int commands) {
  Machine& machine = *machines_[node - 1];
  if (!machine.up()) return;
  for (int i = 0; i < commands; ++i) {
    Command command;
    command.op = CommandOp::kPut;
    command.client = 1'000'000 + next_burst_;
    command.command = next_burst_++;
    if (options_.short_sessions && i == 0) {
      command.op = CommandOp::kSetSessionLimits;
      command.client = 0;
      command.value = EncodeSessionLimits(
          {.ttl_ms = 200 + choices_.Below(5000), .sessions_max = 5 + choices_.Below(50)});
    } else if (i == commands / 2) {  // takes nothing else with it
      command.op = CommandOp::kDeleteShard;
      command.client = 0;
    } else {
      command.key = "burst";
      command.value = std::string(200, 'b');
    }
    machine.loop().Post([this, &machine, command]() mutable {
      if (!machine.up()) return;
      if (options_.short_sessions) {
        command.time_ms = static_cast<uint64_t>(absl::ToUnixMillis(machine.clock().Wall()));
      }
      machine.node()->Propose(1, EncodeCommand(command), machine.clock().Monotonic() + kAttemptMax,
                              [this](const absl::StatusOr<Outcome>& outcome) {
                                if (absl::IsResourceExhausted(outcome.status())) ++overloads_;
                              });
    });
  }
}

ShardId Clients::ShardOf(uint64_t key) { return static_cast<ShardId>(1 + key % 3); }

std::string Clients::Waiting() const {
  std::string text;
  for (const auto& client : clients_) {
    if (!client->busy) continue;
    absl::StrAppend(&text, "client ", client->number, " waits for ",
                    RegisterModel::Describe(client->operation.input, nullptr), ", attempt ",
                    client->attempts, "\n");
  }
  return text;
}

}  // namespace slipway::eraft::simulation
