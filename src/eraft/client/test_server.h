// A server of both protocols in this process, with a script of what goes wrong. Only for tests.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/net/testing/test_certificates.h"
#include "base/sync/mutex.h"
#include "compat/kvraftpb/kvraft.grpc.pb.h"
#include "slipway/eraft/client/v1/client.grpc.pb.h"

namespace slipway::eraft::client {

// The state that all servers of a test share.
struct TestState {
  base::Mutex mutex;
  std::map<std::string, std::string> values ABSL_GUARDED_BY(mutex);
  std::map<std::pair<uint64_t, uint64_t>, int> done ABSL_GUARDED_BY(mutex);  // session, command
  std::string leader ABSL_GUARDED_BY(mutex);
  uint64_t sessions ABSL_GUARDED_BY(mutex) = 0;
  std::string token ABSL_GUARDED_BY(mutex);  // that calls must bring
  std::atomic<int> streams_to_break = 0;     // each after its first batch was executed
  std::atomic<int> timeouts = 0;             // legacy: executed, and answered ErrTimeout
  std::atomic<int> executed = 0;

  void Apply(uint64_t client, uint64_t command, bool append, const std::string& key,
             const std::string& value) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (done[{client, command}]++ > 0) return;
    ++executed;
    values[key] = append ? values[key] + value : value;
  }
};

class TestServer {
 public:
  struct Tls {
    std::string cert_pem, key_pem;
    std::string client_ca_pem;  // not empty: clients must have a certificate of it
  };
  TestServer(TestState& state, std::optional<Tls> tls = std::nullopt)
      : legacy_(*this), pipeline_(*this), state_(state) {
    auto credentials = grpc::InsecureServerCredentials();
    if (tls.has_value()) {
      grpc::SslServerCredentialsOptions options(
          tls->client_ca_pem.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                     : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
      options.pem_key_cert_pairs.push_back({tls->key_pem, tls->cert_pem});
      options.pem_root_certs = tls->client_ca_pem;
      credentials = grpc::SslServerCredentials(options);
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(&legacy_);
    builder.RegisterService(&pipeline_);
    server_ = builder.BuildAndStart();
  }
  ~TestServer() { Stop(); }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(gpr_now(GPR_CLOCK_MONOTONIC));
    server_.reset();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  grpc::Status Check(const grpc::ServerContext& context) {
    const base::MutexLock lock(state_.mutex);
    if (state_.token.empty()) return grpc::Status::OK;
    const auto found = context.client_metadata().find("authorization");
    if (found != context.client_metadata().end() &&
        std::string(found->second.data(), found->second.size()) == "Bearer " + state_.token) {
      return grpc::Status::OK;
    }
    return {grpc::StatusCode::UNAUTHENTICATED, "the token is unknown"};
  }
  // Whether this one leads; if not, tells who does.
  bool Leads(grpc::ServerContext* context) {
    const base::MutexLock lock(state_.mutex);
    if (state_.leader.empty() || state_.leader == address()) return true;
    if (context != nullptr) context->AddTrailingMetadata("x-eraft-leader", state_.leader);
    return false;
  }
  class Legacy : public kvraftpb::KVService::Service {
   public:
    explicit Legacy(TestServer& server) : server_(server) {}
    grpc::Status Command(grpc::ServerContext* context, const kvraftpb::CommandRequest* request,
                         kvraftpb::CommandResponse* response) override {
      if (const grpc::Status status = server_.Check(*context); !status.ok()) return status;
      response->set_err("OK");
      if (!server_.Leads(context)) {
        response->set_err("ErrWrongLeader");
        return grpc::Status::OK;
      }
      TestState& state = server_.state_;
      const base::MutexLock lock(state.mutex);
      if (request->op() == kvraftpb::GET) {
        const auto found = state.values.find(request->key());
        if (found == state.values.end()) {
          response->set_err("ErrNoKey");
        } else {
          response->set_value(found->second);
        }
        return grpc::Status::OK;
      }
      state.Apply(static_cast<uint64_t>(request->client_id()),
                  static_cast<uint64_t>(request->command_id()), request->op() == kvraftpb::APPEND,
                  request->key(), request->value());
      if (state.timeouts > 0) {
        --state.timeouts;
        response->set_err("ErrTimeout");
      }
      return grpc::Status::OK;
    }
    grpc::Status GetStatus(grpc::ServerContext* context, const kvraftpb::GetStatusRequest*,
                           kvraftpb::GetStatusResponse* response) override {
      if (const grpc::Status status = server_.Check(*context); !status.ok()) return status;
      response->set_id(2);
      response->set_state(server_.Leads(nullptr) ? "Leader" : "Follower");
      response->set_term(7);
      response->set_last_applied(41);
      response->set_commit_index(42);
      response->set_storage_size(123456);
      return grpc::Status::OK;
    }

   private:
    TestServer& server_;
  };

  class Pipeline : public v1::Pipeline::Service {
   public:
    explicit Pipeline(TestServer& server) : server_(server) {}
    grpc::Status RegisterSession(grpc::ServerContext* context, const v1::RegisterSessionRequest*,
                                 v1::Session* session) override {
      if (const grpc::Status status = server_.Check(*context); !status.ok()) return status;
      if (!server_.Leads(context)) return {grpc::StatusCode::UNAVAILABLE, "not the leader"};
      const base::MutexLock lock(server_.state_.mutex);
      session->set_id(++server_.state_.sessions);
      return grpc::Status::OK;
    }
    grpc::Status CloseSession(grpc::ServerContext*, const v1::Session*,
                              v1::CloseSessionResponse*) override {
      return grpc::Status::OK;
    }
    grpc::Status Stream(grpc::ServerContext* context,
                        grpc::ServerReaderWriter<v1::BatchResult, v1::Batch>* stream) override {
      if (const grpc::Status status = server_.Check(*context); !status.ok()) return status;
      v1::Batch batch;
      while (stream->Read(&batch)) {
        v1::BatchResult results;
        results.set_credit(16);
        for (const v1::Cmd& cmd : batch.cmds()) Execute(batch.session(), cmd, results);
        if (batch.session() != 0 && server_.state_.streams_to_break > 0) {
          --server_.state_.streams_to_break;
          return {grpc::StatusCode::UNAVAILABLE, "the server stops"};
        }
        if (!stream->Write(results)) break;
      }
      return grpc::Status::OK;
    }

   private:
    void Execute(uint64_t session, const v1::Cmd& cmd, v1::BatchResult& results) {
      v1::Result& result = *results.add_r();
      result.set_id(cmd.id());
      TestState& state = server_.state_;
      if (!server_.Leads(nullptr)) {
        const base::MutexLock lock(state.mutex);
        result.set_code(v1::NOT_LEADER);
        results.set_leader_hint(state.leader);
        return;
      }
      const base::MutexLock lock(state.mutex);
      if (cmd.op() == v1::PUT || cmd.op() == v1::APPEND) {
        state.Apply(session, cmd.id(), cmd.op() == v1::APPEND, cmd.key(), cmd.value());
        result.set_index(9);
      } else if (cmd.op() == v1::SCAN) {
        for (const auto& [key, value] : state.values) {
          v1::KeyValue& row = *result.add_kvs();
          row.set_key(key);
          row.set_value(value);
        }
        result.set_more(cmd.limit() == 1);
      } else if (state.values.contains(cmd.key())) {
        result.set_value(state.values[cmd.key()]);
      } else {
        result.set_code(v1::NO_KEY);
      }
    }
    TestServer& server_;
  };

  Legacy legacy_;
  Pipeline pipeline_;
  TestState& state_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace slipway::eraft::client
