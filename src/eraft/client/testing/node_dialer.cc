#include "eraft/client/testing/node_dialer.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "eraft/store/command.h"

namespace slipway::eraft::client::testing {
namespace {

constexpr uint64_t kCredit = 1024;
constexpr absl::Duration kAnswerMax = absl::Seconds(10);
constexpr uint64_t kScanKeysMax = 100'000, kScanBytesMax = 1 << 20;

Code CodeOf(AnswerCode code) {
  switch (code) {
    case AnswerCode::kOk:
      return Code::kOk;
    case AnswerCode::kNoKey:
      return Code::kNoKey;
    case AnswerCode::kMismatch:
      return Code::kMismatch;
    case AnswerCode::kTooLarge:
      return Code::kTooLarge;
    case AnswerCode::kUnknownSession:
      return Code::kSessionExpired;
    case AnswerCode::kStale:
      return Code::kUnknown;
    case AnswerCode::kWindowFull:
      return Code::kBusy;
    case AnswerCode::kInvalid:
      break;
  }
  return Code::kNotExecuted;
}

Code CodeOf(const absl::Status& error) {
  if (FateOf(error) == Fate::kUnknown) return Code::kUnknown;
  return absl::IsUnavailable(error)         ? Code::kNotLeader
         : absl::IsInvalidArgument(error)   ? Code::kTooLarge
         : absl::IsResourceExhausted(error) ? Code::kBusy
                                            : Code::kNotExecuted;
}

// A read that failed changed nothing.
Code CodeOfRead(const absl::Status& error) {
  return absl::IsUnavailable(error) ? Code::kNotLeader : Code::kNotExecuted;
}

CommandOp OpOf(Op op) {
  switch (op) {
    case Op::kAppend:
      return CommandOp::kAppend;
    case Op::kDelete:
      return CommandOp::kDelete;
    case Op::kCompareAndSet:
      return CommandOp::kCompareAndSet;
    default:
      return CommandOp::kPut;
  }
}

class NodeLink final : public Link {
 public:
  NodeLink(const NodeDialerWorld& world, std::string address, LinkEvents& events)
      : world_(world), address_(std::move(address)), events_(events) {}

  void Send(const WireBatch& batch) override {
    const std::weak_ptr<int> alive = alive_;
    Node* const node = world_.node(address_);
    if (node == nullptr) {
      return world_.loop.Post([this, alive] {
        if (!alive.expired()) events_.OnClosed(absl::UnavailableError("the node is stopped"), "");
      });
    }
    world_.loop.Post([this, alive] {
      if (!alive.expired()) events_.OnSent();
    });
    for (const WireCommand& command : batch.commands) {
      if (IsWrite(command.operation->op)) {
        Write(*node, batch, command);
      } else {
        Read(*node, command);
      }
    }
  }

 private:
  void Write(Node& node, const WireBatch& batch, const WireCommand& wire) {
    Command command;
    command.op = OpOf(wire.operation->op);
    command.shard = kShard;
    command.strict = true;
    command.time_ms = static_cast<uint64_t>(absl::ToUnixMillis(world_.clock.Wall()));
    command.client = batch.session;
    command.command = wire.id;
    command.acknowledged = std::min(batch.acknowledged, wire.id);
    command.key = wire.operation->key;
    command.value = wire.operation->value;
    command.expected = wire.operation->expected;
    command.expect_absent = wire.operation->expect_absent;
    WireResult result{wire.id};
    if (!CheckCommand(command).ok()) {
      result.code = Code::kTooLarge;
      return world_.loop.Post(
          [this, alive = std::weak_ptr<int>(alive_), result = std::move(result)]() mutable {
            if (!alive.expired()) Answer(std::move(result));
          });
    }
    node.Propose(kGroup, EncodeCommand(command), Deadline(),
                 [this, alive = std::weak_ptr<int>(alive_),
                  result = std::move(result)](absl::StatusOr<Outcome> outcome) mutable {
                   if (alive.expired()) return;
                   result.code =
                       outcome.ok() ? CodeOf(outcome->answer.code) : CodeOf(outcome.status());
                   if (outcome.ok()) result.reply.index = outcome->answer.index;
                   Answer(std::move(result));
                 });
  }

  void Read(Node& node, const WireCommand& wire) {
    ReadOptions options;
    options.deadline = Deadline();
    if (wire.operation->read_from == ReadFrom::kSerializable)
      options.mode = ReadMode::kSerializable;
    auto result = std::make_shared<WireResult>();
    result->id = wire.id;
    node.Query(
        kGroup, options,
        [result, operation = *wire.operation](KvMachine& machine) {
          return Look(machine, operation, *result);
        },
        [this, alive = std::weak_ptr<int>(alive_), result](const absl::Status& status) {
          if (alive.expired()) return;
          if (!status.ok()) result->code = CodeOfRead(status);
          Answer(std::move(*result));
        });
  }

  // On the pool.
  static absl::Status Look(KvMachine& machine, const Operation& operation, WireResult& result) {
    if (operation.op == Op::kGet) {
      auto value = machine.Get(kShard, operation.key);
      if (!value.ok()) return value.status();
      if (value->has_value()) {
        result.reply.value = **std::move(value);
      } else {
        result.code = Code::kNoKey;
      }
      return absl::OkStatus();
    }
    const uint64_t limit = operation.limit == 0 ? kScanKeysMax : operation.limit;
    auto rows = machine.Scan(kShard, operation.key, operation.end, std::min(limit, kScanKeysMax),
                             kScanBytesMax);
    if (!rows.ok()) return rows.status();
    result.reply.rows = std::move(rows->rows);
    result.reply.more = rows->more;
    return absl::OkStatus();
  }

  void Answer(WireResult result) {
    WireResults results;
    results.credit = kCredit;
    const Node* const node = world_.node(address_);
    if (result.code == Code::kNotLeader && node != nullptr) {
      const auto status = node->GetStatus(kGroup);
      if (status.ok()) results.leader = world_.address(status->raft.leader);
    }
    results.results.push_back(std::move(result));
    events_.OnResults(std::move(results));
  }

  absl::Duration Deadline() const { return world_.clock.Monotonic() + kAnswerMax; }

  const NodeDialerWorld& world_;
  const std::string address_;
  LinkEvents& events_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class NodeDialer final : public Dialer {
 public:
  explicit NodeDialer(NodeDialerWorld world) : world_(std::move(world)) {}

  std::unique_ptr<Link> Dial(const std::string& address, LinkEvents& events) override {
    return std::make_unique<NodeLink>(world_, address, events);
  }

  void Register(const std::string& address, absl::Duration timeout,
                absl::AnyInvocable<void(SessionGrant)> done) override {
    Node* const node = world_.node(address);
    if (node == nullptr) {
      return world_.loop.Post([done = std::move(done)]() mutable {
        done({absl::UnavailableError("the node is stopped"), ""});
      });
    }
    Command command;
    command.op = CommandOp::kRegisterSession;
    command.shard = kShard;
    command.strict = true;
    command.time_ms = static_cast<uint64_t>(absl::ToUnixMillis(world_.clock.Wall()));
    command.client = world_.random.Next() | 1;
    const auto leader = node->GetStatus(kGroup);
    const std::string hint = leader.ok() ? world_.address(leader->raft.leader) : "";
    node->Propose(
        kGroup, EncodeCommand(command), world_.clock.Monotonic() + timeout,
        [done = std::move(done), id = command.client,
         hint](const absl::StatusOr<Outcome>& outcome) mutable {
          if (!outcome.ok()) return done({outcome.status(), hint});
          done({outcome->answer.code == AnswerCode::kOk ? absl::StatusOr<uint64_t>(id)
                                                        : absl::AbortedError("the session exists"),
                ""});
        });
  }

  void CloseSession(const std::string& address, uint64_t session) override {
    Node* const node = world_.node(address);
    if (node == nullptr) return;
    Command command;
    command.op = CommandOp::kCloseSession;
    command.shard = kShard;
    command.strict = true;
    command.time_ms = static_cast<uint64_t>(absl::ToUnixMillis(world_.clock.Wall()));
    command.client = session;
    node->Propose(kGroup, EncodeCommand(command), world_.clock.Monotonic() + kAnswerMax,
                  [](const absl::StatusOr<Outcome>&) {});
  }

 private:
  const NodeDialerWorld world_;
};

}  // namespace

std::unique_ptr<Dialer> MakeNodeDialer(NodeDialerWorld world) {
  return std::make_unique<NodeDialer>(std::move(world));
}

}  // namespace slipway::eraft::client::testing
