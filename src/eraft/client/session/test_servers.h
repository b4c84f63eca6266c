// Servers behind a network that fails as a seed says: one state, strict sessions, a leader. They
// keep the promises of the real ones, and count how often each value was appended. Only for tests.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/loop.h"
#include "base/sim/random.h"
#include "eraft/client/session/link.h"

namespace slipway::eraft::client {

class TestServers : public Dialer {
 public:
  struct Faults {
    uint64_t close = 0;    // percent of batches: the stream ends before, or after, it is executed
    uint64_t unknown = 0;  // percent of commands: answered so, executed or not
    uint64_t busy = 0;
    uint64_t silent = 0;  // percent of batches: executed or not, and never answered
    uint64_t expire = 0;  // percent of batches: all sessions end before it
    uint64_t moves = 0;   // percent of batches: another node leads from now on
  };
  TestServers(base::Loop& loop, uint64_t seed, std::vector<std::string> addresses)
      : loop_(loop), choices_(seed), addresses_(std::move(addresses)), leader_(addresses_[0]) {}

  Faults faults;
  uint64_t credit = 0;
  std::set<std::string> down;
  bool silent = false;  // nothing is answered, nothing executed
  bool hints = true;    // who is not the leader names it
  absl::Status closes_with = absl::UnavailableError("connection reset");
  absl::Status refuses;         // not OK: every stream and call ends so
  uint64_t under_way_most = 0;  // commands that one stream ever had open
  uint64_t batches = 0;
  uint64_t registered = 0;
  std::vector<uint64_t> closed_sessions;
  std::map<std::string, int> executed;  // appended values: how often
  std::map<std::string, std::string> state;
  void Lead(const std::string& address) { leader_ = address; }
  void ExpireSessions() { sessions_.clear(); }

  std::unique_ptr<Link> Dial(const std::string& address, LinkEvents& events) override {
    ++dials_[address];
    return std::make_unique<TestLink>(*this, address, events);
  }
  int dials(const std::string& address) { return dials_[address]; }

  void Register(const std::string& address, absl::Duration /*timeout*/,
                absl::AnyInvocable<void(SessionGrant)> done) override {
    loop_.After(Delay(), [this, address, done = std::move(done)]() mutable {
      if (!refuses.ok()) return done({refuses, ""});
      if (down.contains(address) || Chance(faults.close)) return done({closes_with, ""});
      if (address != leader_) {
        return done({absl::UnavailableError("not the leader"), hints ? leader_ : ""});
      }
      sessions_[++registered] = {};
      done({registered, ""});
    });
  }
  void CloseSession(const std::string& /*address*/, uint64_t session) override {
    closed_sessions.push_back(session);
  }

 private:
  struct Session {
    uint64_t acknowledged = 0;
    std::map<uint64_t, Code> answers;
  };
  struct Copy {
    uint64_t id;
    Operation operation;
  };
  // Every copy that was ever sent is executed at most as late as the network likes.
  class TestLink : public Link {
   public:
    TestLink(TestServers& servers, std::string address, LinkEvents& events)
        : servers_(servers), address_(std::move(address)), events_(events) {}
    void Send(const WireBatch& batch) override {
      std::vector<Copy> copies;
      for (const WireCommand& command : batch.commands) {
        copies.push_back({command.id, *command.operation});
      }
      open_ += copies.size();
      servers_.under_way_most = std::max(servers_.under_way_most, open_);
      const std::weak_ptr<int> alive = alive_;
      servers_.loop_.Post([this, alive] {
        if (!alive.expired()) events_.OnSent();
      });
      servers_.Arrive(
          address_, batch.session, batch.acknowledged, std::move(copies),
          [this, alive](WireResults results) {
            if (alive.expired()) return;
            open_ -= results.results.size();
            events_.OnResults(std::move(results));
          },
          [this, alive](const absl::Status& status) {
            if (!alive.expired()) events_.OnClosed(status, "");
          });
    }

   private:
    TestServers& servers_;
    const std::string address_;
    LinkEvents& events_;
    uint64_t open_ = 0;
    const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  };

  bool Chance(uint64_t percent) { return choices_.Below(100) < percent; }
  absl::Duration Delay() { return absl::Microseconds(1 + choices_.Below(5000)); }

  void Arrive(const std::string& address, uint64_t session, uint64_t acknowledged,
              std::vector<Copy> copies, std::function<void(WireResults)> answer,
              std::function<void(absl::Status)> close) {
    loop_.After(Delay(), [this, address, session, acknowledged, copies = std::move(copies),
                          answer = std::move(answer), close = std::move(close)] {
      ++batches;
      if (!refuses.ok()) return close(refuses);
      if (down.contains(address)) return close(closes_with);
      if (silent) return;
      if (Chance(faults.moves)) leader_ = addresses_[choices_.Below(addresses_.size())];
      if (Chance(faults.expire)) ExpireSessions();
      const bool closes = Chance(faults.close), says_nothing = Chance(faults.silent);
      if (closes && Chance(50)) return close(closes_with);
      WireResults results;
      results.credit = credit;
      if (address != leader_ && hints) results.leader = leader_;
      for (const Copy& copy : copies) {
        WireResult result{copy.id};
        if (address != leader_) {
          result.code = Code::kNotLeader;
        } else {
          Execute(session, acknowledged, copy, result);
        }
        results.results.push_back(std::move(result));
      }
      if (closes) return close(closes_with);
      if (says_nothing) return;
      loop_.After(Delay(), [answer, results = std::move(results)] { answer(results); });
    });
  }

  void Execute(uint64_t session, uint64_t acknowledged, const Copy& copy, WireResult& result) {
    if (Chance(faults.busy)) {
      result.code = Code::kBusy;
      return;
    }
    const bool unknown = Chance(faults.unknown);
    if (unknown && Chance(50)) {
      result.code = Code::kUnknown;
      return;
    }
    result.code = session == 0 ? Read(copy, result) : Write(session, acknowledged, copy);
    if (unknown) result.code = Code::kUnknown;
  }

  Code Read(const Copy& copy, WireResult& result) {
    if (copy.operation.op == Op::kScan) {
      for (const auto& [key, value] : state) result.reply.rows.emplace_back(key, value);
      return Code::kOk;
    }
    const auto found = state.find(copy.operation.key);
    if (found == state.end()) return Code::kNoKey;
    result.reply.value = found->second;
    return Code::kOk;
  }

  Code Write(uint64_t number, uint64_t acknowledged, const Copy& copy) {
    const auto found = sessions_.find(number);
    if (found == sessions_.end()) return Code::kSessionExpired;
    Session& session = found->second;
    session.acknowledged = std::max(session.acknowledged, acknowledged);
    while (!session.answers.empty() && session.answers.begin()->first < session.acknowledged) {
      session.answers.erase(session.answers.begin());
    }
    if (copy.id < session.acknowledged) return Code::kUnknown;  // stale: not executed now
    if (copy.id >= session.acknowledged + 1024) return Code::kNotExecuted;
    const auto answered = session.answers.find(copy.id);
    if (answered != session.answers.end()) return answered->second;
    return session.answers[copy.id] = Apply(copy.operation);
  }

  Code Apply(const Operation& operation) {
    if (operation.op == Op::kDelete) {
      return state.erase(operation.key) > 0 ? Code::kOk : Code::kNoKey;
    }
    std::string& value = state[operation.key];
    switch (operation.op) {
      case Op::kAppend:
        ++executed[operation.value];
        value += operation.value;
        return Code::kOk;
      case Op::kPut:
        value = operation.value;
        return Code::kOk;
      case Op::kCompareAndSet:
        if (value != operation.expected) return Code::kMismatch;
        value = operation.value;
        return Code::kOk;
      default:
        return Code::kNotExecuted;
    }
  }

  base::Loop& loop_;
  base::sim::Stream choices_;
  const std::vector<std::string> addresses_;
  std::string leader_;
  std::map<std::string, int> dials_;
  std::map<uint64_t, Session> sessions_;
};

}  // namespace slipway::eraft::client
