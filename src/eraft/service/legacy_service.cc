// kvraftpb.KVService as clients of the Go reference know it (spec 6.1).
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "compat/kvraftpb/kvraft.grpc.pb.h"
#include "eraft/service/calls.h"
#include "eraft/service/held_answer.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

constexpr Method kRead = {"/kvraftpb.KVService/Command", Role::kRead};
constexpr Method kWrite = {"/kvraftpb.KVService/Command", Role::kWrite};
constexpr Method kStatus = {"/kvraftpb.KVService/GetStatus", Role::kRead};

// The closed set of E51; clients of the reference take any other word for success.
constexpr char kOk[] = "OK";
constexpr char kNoKey[] = "ErrNoKey";
constexpr char kWrongLeader[] = "ErrWrongLeader";
constexpr char kOutDated[] = "ErrOutDated";
constexpr char kTimeout[] = "ErrTimeout";

// What an error is called, or the status that it is sent as.
absl::StatusOr<const char*> WordOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
      return error;
    case absl::StatusCode::kUnavailable:
      return FateOf(error) == Fate::kNotExecuted ? kWrongLeader : kTimeout;
    default:
      return kTimeout;  // the client tries again, and its session keeps it from being done twice
  }
}

absl::StatusOr<const char*> WordOf(const Answer& answer) {
  switch (answer.code) {
    case AnswerCode::kOk:
      return kOk;
    case AnswerCode::kNoKey:
      return kNoKey;
    case AnswerCode::kTooLarge:
      return absl::InvalidArgumentError(
          absl::StrCat("append: the value would exceed ", kValueBytesMax, " bytes"));
    case AnswerCode::kStale:
      return kOutDated;
    case AnswerCode::kUnknownSession:
      return absl::FailedPreconditionError(
          "write: the session is not known; it was closed or has expired; register a new one");
    case AnswerCode::kWindowFull:
      return kTimeout;
    case AnswerCode::kMismatch:
    case AnswerCode::kInvalid:
      break;
  }
  return absl::InvalidArgumentError("write: no command that this server knows");
}

class LegacyService final : public kvraftpb::KVService::CallbackService, public base::net::Service {
 public:
  explicit LegacyService(ServiceParts& parts) : parts_(parts) { raw_.service = this; }
  Raw& raw() override { return raw_; }

  grpc::ServerUnaryReactor* Command(grpc::CallbackServerContext* context,
                                    const kvraftpb::CommandRequest* request,
                                    kvraftpb::CommandResponse* response) override {
    const bool reads = request->op() == kvraftpb::GET;
    const auto held = reads ? HeldAnswer::Make(*context, parts_.results) : nullptr;
    grpc::ServerUnaryReactor* const reactor = reads ? held.get() : context->DefaultReactor();
    if (const UnaryCall::Ptr call =
            UnaryCall::Begin(parts_, raw_, *context, *reactor, reads ? kRead : kWrite)) {
      if (!parts_.replica.Enter()) {
        call->AddNotExecuted("too many requests are under way; try again later");
        Answer(call, response, kTimeout);
      } else if (reads) {
        Get(call, held, *request, response);
      } else {
        Write(call, *request, response);
      }
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const kvraftpb::GetStatusRequest* /*request*/,
                                      kvraftpb::GetStatusResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const UnaryCall::Ptr call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kStatus)) {
      // Asked of the loop: a node that hangs does not say that all is well.
      parts_.replica.Post([this, call, response](Node* node) {
        if (node == nullptr) return call->Finish(absl::UnavailableError("status: this node stops"));
        parts_.replica.Look();
        Describe(*parts_.replica.view(), response);
        call->AddLeaderHint();
        call->Finish(absl::OkStatus());
      });
    }
    return reactor;
  }

 private:
  static void Answer(const UnaryCall::Ptr& call, kvraftpb::CommandResponse* response,
                     const absl::StatusOr<const char*>& word) {
    call->AddLeaderHint();
    if (!word.ok()) return call->Finish(word.status());
    response->set_err(*word);
    call->Finish(absl::OkStatus(), *word);
  }

  // E60. The node looks at deadlines once in a tick.
  absl::Duration Deadline(const UnaryCall& call) const {
    return std::min(call.begun() + kLegacyAnswerMax - absl::Microseconds(parts_.tick_us.load()),
                    call.deadline());
  }

  void End(const UnaryCall::Ptr& call, kvraftpb::CommandResponse* response,
           const absl::StatusOr<const char*>& word) {
    parts_.replica.Leave();
    Answer(call, response, word);
  }
  void Fail(const UnaryCall::Ptr& call, kvraftpb::CommandResponse* response,
            const absl::Status& error) {
    if (FateOf(error) == Fate::kNotExecuted) call->AddNotExecuted(error.message());
    End(call, response, WordOf(error));
  }

  void Write(const UnaryCall::Ptr& call, const kvraftpb::CommandRequest& request,
             kvraftpb::CommandResponse* response) {
    if (request.client_id() < 0 || request.command_id() < 0) {
      return End(call, response,
                 absl::InvalidArgumentError("write: client_id and command_id begin at 0"));
    }
    if (request.op() != kvraftpb::PUT && request.op() != kvraftpb::APPEND) {
      return End(call, response, absl::InvalidArgumentError("write: no such op"));
    }
    eraft::Command command;
    command.op = request.op() == kvraftpb::PUT ? CommandOp::kPut : CommandOp::kAppend;
    command.shard = kUserShard;
    command.client = static_cast<ClientId>(request.client_id());
    // A client that gives no id has no session: what it sends twice is done twice.
    if (command.client != 0) command.command = static_cast<CommandId>(request.command_id());
    command.strict = request.strict_session() && command.client != 0;
    if (command.strict) command.acknowledged = command.command;
    command.key = request.key();
    command.value = request.value();
    absl::Status admitted = parts_.replica.AdmitWrite();
    if (!admitted.ok()) return Fail(call, response, admitted);
    absl::StatusOr<base::Bytes> bytes = parts_.replica.Prepare(std::move(command));
    if (!bytes.ok()) return Fail(call, response, bytes.status());
    parts_.replica.Post([this, call, response, bytes = *std::move(bytes)](Node* node) mutable {
      call->NoteProposed();
      if (node == nullptr) return End(call, response, kWrongLeader);
      if (SLIPWAY_MUTANT("kv-ack-before-commit")) {
        node->Propose(kKvGroup, std::move(bytes), Deadline(*call),
                      [](const absl::StatusOr<Outcome>&) {});
        return End(call, response, kOk);
      }
      node->Propose(kKvGroup, std::move(bytes), Deadline(*call),
                    [this, call, response](const absl::StatusOr<Outcome>& outcome) {
                      call->NoteAnswered();
                      // Whoever was refused shall hear who leads now.
                      if (!outcome.ok()) parts_.replica.Look();
                      if (!outcome.ok()) return Fail(call, response, outcome.status());
                      End(call, response, WordOf(outcome->answer));
                    });
    });
  }

  // On the loop: results that nobody takes have all the room there is for them.
  void RefuseResult(const UnaryCall::Ptr& call, kvraftpb::CommandResponse* response) {
    parts_.results->Relieve(parts_.replica.now());
    parts_.replica.metrics().rejected_results.Increment();
    call->AddNotExecuted("too many results wait for clients that do not read; try again later");
    End(call, response, kTimeout);
  }

  void Get(const UnaryCall::Ptr& call, const std::shared_ptr<HeldAnswer>& held,
           const kvraftpb::CommandRequest& request, kvraftpb::CommandResponse* response) {
    if (request.key().size() > kKeyBytesMax) {
      return End(call, response,
                 absl::InvalidArgumentError(absl::StrCat("read: a key of ", request.key().size(),
                                                         " bytes, at most ", kKeyBytesMax)));
    }
    const absl::Status admitted = parts_.replica.AdmitRead();
    if (!admitted.ok()) return End(call, response, WordOf(admitted));
    parts_.replica.Post([this, call, held, response, key = request.key()](Node* node) mutable {
      call->NoteProposed();
      if (node == nullptr) return End(call, response, kWrongLeader);
      if (parts_.results->full()) return RefuseResult(call, response);
      ReadOptions options;
      options.mode = SLIPWAY_MUTANT("kv-read-local") ? ReadMode::kSerializable : parts_.read_mode;
      options.deadline = Deadline(*call);
      node->Get(kKvGroup, kUserShard, std::move(key), options,
                [this, call, held, response](absl::StatusOr<std::optional<std::string>> value) {
                  call->NoteAnswered();
                  if (!value.ok()) return End(call, response, WordOf(value.status()));
                  if (!value->has_value()) return End(call, response, kNoKey);
                  if (!held->Hold((**value).size(), parts_.replica.now())) {
                    return RefuseResult(call, response);
                  }
                  response->set_value(**std::move(value));
                  End(call, response, kOk);
                });
    });
  }

  void Describe(const ReplicaView& view, kvraftpb::GetStatusResponse* response) {
    const raft::Status& status = view.status.raft;
    // The ids of the reference begin at 0, as those of the command line do.
    response->set_id(static_cast<int64_t>(view.self) - 1);
    response->set_state(std::string(RoleName(status.role)));
    response->set_term(static_cast<int64_t>(status.term));
    response->set_last_applied(static_cast<int64_t>(status.applied));
    response->set_commit_index(static_cast<int64_t>(status.commit));
    response->set_storage_size(static_cast<int64_t>(parts_.control.storage_bytes()));
  }

  ServiceParts& parts_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeLegacyService(ServiceParts& parts) {
  return std::make_unique<LegacyService>(parts);
}

}  // namespace slipway::eraft
