// One HTTP request out of bytes: Beast parses, this collects and limits. Of base/net/http only, and
// included by few, for it includes Boost. Loop-only.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/net/http/server.h"
#include "base/net/http/server_metrics.h"

namespace slipway::base::net {

struct ReaderLimits {
  size_t header_bytes_max = 0;
  size_t body_bytes_max = 0;
};

// Why a request is not taken: what to answer and to count.
struct Refusal {
  int status = 400;
  absl::string_view code = "INVALID_ARGUMENT";
  std::string message;
  Refused why = Refused::kMalformed;
};

class RequestReader : private boost::beast::http::basic_parser<true> {
 public:
  enum class Progress : uint8_t { kMore, kHeader, kDone, kRefused };

  // `memory_left` is borrowed: what the bodies of all requests may still take. What this one took
  // is memory_taken(); the owner gives it back.
  RequestReader(const ReaderLimits& limits, size_t& memory_left);

  // Takes from the front of `in` what belongs to this request. kHeader, once: the header is whole
  // and a body follows. kMore: `in` holds no more of use, so it is at most a header long. After
  // kDone and kRefused there is no further call.
  Progress Put(std::string& in);

  // After kHeader or kDone.
  HttpRequest& request() { return request_; }
  const std::string& target() const { return target_; }
  bool keep_alive() const { return basic_parser::keep_alive(); }
  bool is_http_1_0() const { return version_ < 11; }
  bool expects_continue() const { return expects_continue_; }
  size_t memory_taken() const { return memory_taken_; }
  const Refusal& refusal() const { return refusal_; }  // after kRefused

 private:
  using error_code = boost::beast::error_code;
  using text = boost::beast::string_view;

  Progress Refuse(const error_code& error, const std::string& in);
  Progress RefuseTooLong(const std::string& in);
  void Reject(error_code& error, Refusal refusal);
  void CheckField(absl::string_view name, absl::string_view value, error_code& error);
  size_t Append(text body, error_code& error);

  void on_request_impl(boost::beast::http::verb, text method, text target, int version,
                       error_code& error) override;
  void on_field_impl(boost::beast::http::field, text name, text value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  size_t on_body_impl(text body, error_code& error) override { return Append(body, error); }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  size_t on_chunk_body_impl(std::uint64_t, text body, error_code& error) override {
    return Append(body, error);
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, text, int, error_code&) override {}

  const ReaderLimits limits_;
  size_t& memory_left_;
  size_t memory_taken_ = 0;
  size_t header_bytes_ = 0;
  int version_ = 11;
  int hosts_ = 0;
  int lengths_ = 0;
  bool chunked_ = false;
  bool expects_continue_ = false;
  bool header_told_ = false;
  bool rejected_ = false;  // refusal_ is ours, not Beast's
  std::string target_;
  HttpRequest request_;
  Refusal refusal_;
};

}  // namespace slipway::base::net
