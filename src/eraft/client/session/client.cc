#include "eraft/client/session/client.h"

#include "base/status.h"

namespace slipway::eraft::client {
namespace {

Operation Make(Op op, absl::string_view key, absl::string_view value = "") {
  Operation operation;
  operation.op = op;
  operation.key = std::string(key);
  operation.value = std::string(value);
  return operation;
}

}  // namespace

Operation GetOf(absl::string_view key, ReadFrom read_from) {
  Operation operation = Make(Op::kGet, key);
  operation.read_from = read_from;
  return operation;
}

Operation PutOf(absl::string_view key, absl::string_view value) {
  return Make(Op::kPut, key, value);
}

Operation AppendOf(absl::string_view key, absl::string_view value) {
  return Make(Op::kAppend, key, value);
}

Operation DeleteOf(absl::string_view key) { return Make(Op::kDelete, key); }

Operation CompareAndSetOf(absl::string_view key, const std::optional<std::string>& expected,
                          absl::string_view value) {
  Operation operation = Make(Op::kCompareAndSet, key, value);
  operation.expect_absent = !expected.has_value();
  operation.expected = expected.value_or("");
  return operation;
}

Operation ScanOf(absl::string_view begin, absl::string_view end, uint64_t limit,
                 ReadFrom read_from) {
  Operation operation = Make(Op::kScan, begin);
  operation.end = std::string(end);
  operation.limit = limit;
  operation.read_from = read_from;
  return operation;
}

Client::Client(base::Loop& loop, base::Clock& clock, std::unique_ptr<Dialer> dialer)
    : loop_(loop), clock_(clock), inside_(std::make_shared<Inside>()) {
  inside_->dialer = std::move(dialer);
}

std::unique_ptr<Client> Client::Make(DispatcherOptions options, base::Loop& loop,
                                     base::Clock& clock, base::Random& random,
                                     std::unique_ptr<Dialer> dialer) {
  std::unique_ptr<Client> client(new Client(loop, clock, std::move(dialer)));
  client->inside_->dispatcher = std::make_unique<Dispatcher>(std::move(options), loop, clock,
                                                             random, *client->inside_->dialer);
  return client;
}

Client::~Client() { Close(); }

void Client::Start(Operation operation, CallOptions options, Done done) {
  const absl::Duration deadline = clock_.Monotonic() + options.timeout;
  {
    const base::MutexLock lock(mutex_);
    if (!closed_) {
      inbox_.push_back({std::move(operation), deadline, std::move(done)});
      if (std::exchange(posted_, true)) return;
      // Under the lock: Close posts behind it.
      loop_.Post([this] { Drain(); });
      return;
    }
  }
  loop_.Post([done = std::move(done)]() mutable {
    done(WithExecuted(absl::CancelledError("the client was closed"), Executed::kNo));
  });
}

void Client::Drain() {
  std::vector<Request> requests;
  {
    const base::MutexLock lock(mutex_);
    requests.swap(inbox_);
    posted_ = false;
  }
  for (Request& request : requests) {
    inside_->dispatcher->Submit(std::move(request.operation), request.deadline,
                                std::move(request.done));
  }
}

void Client::Close() {
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(closed_, true)) return;
  }
  std::promise<void> ended;
  loop_.Post([&] {
    Drain();
    inside_->dispatcher->Stop();
    inside_->dispatcher.reset();
    ended.set_value();
  });
  ended.get_future().wait();
  inside_->dialer.reset();  // it may wait for what it has under way, which the loop must not
}

std::future<absl::StatusOr<Reply>> Client::Async(Operation operation, CallOptions options) {
  std::promise<absl::StatusOr<Reply>> promise;
  std::future<absl::StatusOr<Reply>> future = promise.get_future();
  Start(std::move(operation), options,
        [promise = std::move(promise)](absl::StatusOr<Reply> reply) mutable {
          promise.set_value(std::move(reply));
        });
  return future;
}

absl::StatusOr<Reply> Client::Call(Operation operation, CallOptions options) {
  return Async(std::move(operation), options).get();
}

absl::StatusOr<std::optional<std::string>> Client::Get(absl::string_view key, CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(Reply reply, Call(GetOf(key), options));
  if (!reply.found) return std::nullopt;
  return std::move(reply.value);
}

absl::StatusOr<uint64_t> Client::Put(absl::string_view key, absl::string_view value,
                                     CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(const Reply reply, Call(PutOf(key, value), options));
  return reply.index;
}

absl::StatusOr<uint64_t> Client::Append(absl::string_view key, absl::string_view value,
                                        CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(const Reply reply, Call(AppendOf(key, value), options));
  return reply.index;
}

absl::StatusOr<bool> Client::Delete(absl::string_view key, CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(const Reply reply, Call(DeleteOf(key), options));
  return reply.found;
}

absl::StatusOr<bool> Client::CompareAndSet(absl::string_view key,
                                           const std::optional<std::string>& expected,
                                           absl::string_view value, CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(const Reply reply, Call(CompareAndSetOf(key, expected, value), options));
  return reply.found;
}

absl::StatusOr<Rows> Client::Scan(absl::string_view begin, absl::string_view end, uint64_t limit,
                                  CallOptions options) {
  SLIPWAY_ASSIGN_OR_RETURN(Reply reply, Call(ScanOf(begin, end, limit), options));
  return Rows{std::move(reply.rows), reply.more};
}

}  // namespace slipway::eraft::client
