#include "base/net/http/request_reader.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/net/http/target.h"

namespace slipway::base::net {
namespace {

namespace http = boost::beast::http;

constexpr size_t kFieldsMax = 100;
constexpr size_t kHostBytesMax = 255;
constexpr size_t kLastChunkBytes = 5;

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

bool IsHost(absl::string_view host) {
  return host.size() <= kHostBytesMax && std::all_of(host.begin(), host.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::StrContains(".-_:[]%", c);
         });
}

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// Empty lines before a request are allowed (RFC 9112, 2.2). False: what is left may be half of one.
bool SkipEmptyLines(std::string& in) {
  size_t skipped = 0;
  while (absl::StartsWith(absl::string_view(in).substr(skipped), "\r\n")) skipped += 2;
  in.erase(0, skipped);
  return in != "\r";
}

Refusal TooLarge(int status, std::string message) {
  return {status, "RESOURCE_EXHAUSTED", std::move(message), Refused::kTooLarge};
}

}  // namespace

RequestReader::RequestReader(const ReaderLimits& limits, size_t& memory_left)
    : limits_(limits), memory_left_(memory_left) {
  // Beast holds the request line and the fields each against this; Put holds their sum.
  header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
  body_limit(limits.body_bytes_max);
  eager(false);
}

RequestReader::Progress RequestReader::Put(std::string& in) {
  if (header_bytes_ == 0 && !SkipEmptyLines(in)) return Progress::kMore;
  size_t used = 0;
  const auto take = [&](Progress progress) {
    in.erase(0, used);
    return progress;
  };
  while (used < in.size()) {
    // Beast asserts that so much of a last chunk is there, whoever sends it. Nothing is held up: at
    // least "0\r\n\r\n" is to come as long as a chunked body is not at its end.
    if (is_header_done() && chunked_ && in.size() - used < kLastChunkBytes) break;
    error_code error;
    const bool in_header = !is_header_done();
    const size_t taken = put(boost::asio::const_buffer(in.data() + used, in.size() - used), error);
    used += taken;
    if (in_header) header_bytes_ += taken;
    if (error == http::error::need_more) {
      in.erase(0, used);
      const size_t header_bytes = is_header_done() ? in.size() : header_bytes_ + in.size();
      const size_t line_max = std::min(kTargetBytesMax + 64, limits_.header_bytes_max);
      const bool endless_line =
          header_bytes_ == 0 && in.size() > line_max && !absl::StrContains(in, '\n');
      if (header_bytes > limits_.header_bytes_max || endless_line) return RefuseTooLong(in);
      return Progress::kMore;
    }
    if (error) return Refuse(error, in);
    if (header_bytes_ > limits_.header_bytes_max) return RefuseTooLong(in);
    if (is_done()) return take(Progress::kDone);
    if (is_header_done() && !header_told_) {
      header_told_ = true;
      return take(Progress::kHeader);
    }
  }
  return take(Progress::kMore);
}

RequestReader::Progress RequestReader::RefuseTooLong(const std::string& in) {
  if (is_header_done()) {
    refusal_ = {400, "INVALID_ARGUMENT", "a chunk's header or the trailer is too long",
                Refused::kTooLarge};
  } else if (header_bytes_ == 0 && !absl::StrContains(in, '\n')) {
    refusal_ = TooLarge(414, "the request target is too long");
  } else {
    refusal_ =
        TooLarge(431, absl::StrCat("the header is over ", limits_.header_bytes_max, " bytes"));
  }
  return Progress::kRefused;
}

RequestReader::Progress RequestReader::Refuse(const error_code& error, const std::string& in) {
  if (rejected_) return Progress::kRefused;
  if (error == http::error::header_limit) return RefuseTooLong(in);
  if (error == http::error::body_limit) {
    refusal_ = TooLarge(413, absl::StrCat("the body is over ", limits_.body_bytes_max, " bytes"));
  } else if (error == http::error::bad_version) {
    refusal_ = {505, "UNIMPLEMENTED", "only HTTP/1.0 and HTTP/1.1 are spoken here",
                Refused::kMalformed};
  } else {
    refusal_.message = absl::StrCat("not an HTTP request: ", error.message());
  }
  return Progress::kRefused;
}

void RequestReader::Reject(error_code& error, Refusal refusal) {
  rejected_ = true;
  refusal_ = std::move(refusal);
  error = http::error::bad_value;  // any: makes Beast stop
}

size_t RequestReader::Append(text body, error_code& error) {
  if (body.size() > memory_left_) {
    Reject(error, {503, "UNAVAILABLE", "too many bodies at once; try again", Refused::kBusy});
    return 0;
  }
  memory_left_ -= body.size();
  memory_taken_ += body.size();
  request_.body.append(body.data(), body.size());
  return body.size();
}

void RequestReader::on_request_impl(http::verb, text method, text target, int version,
                                    error_code& error) {
  version_ = version;
  request_.method = std::string(method);
  if (target.size() > kTargetBytesMax) {
    Reject(error, TooLarge(414, "the request target is too long"));
    return;
  }
  target_ = std::string(target);
}

void RequestReader::on_field_impl(http::field, text name, text value, error_code& error) {
  if (is_header_done()) return;  // of a trailer, which nobody here reads
  if (request_.headers.size() == kFieldsMax) {
    Reject(error, TooLarge(431, absl::StrCat("more than ", kFieldsMax, " header fields")));
    return;
  }
  std::string lower = absl::AsciiStrToLower(View(name));
  CheckField(lower, View(value), error);
  if (error) return;
  if (lower == "authorization") {
    request_.call.authorization = std::string(value);
  } else {
    request_.headers.emplace_back(std::move(lower), std::string(value));
  }
}

// What Beast lets through and a proxy before us might read otherwise: two readings of one stream of
// bytes are how a request is smuggled past the proxy's rules.
void RequestReader::CheckField(absl::string_view name, absl::string_view value, error_code& error) {
  if (name == "host") {
    if (++hosts_ > 1 || !IsHost(value)) Reject(error, {.message = "a bad or second Host"});
  } else if (name == "content-length") {
    if (++lengths_ > 1 || !IsNumber(value)) {
      Reject(error, {.message = "a bad or second Content-Length"});
    }
  } else if (name == "transfer-encoding") {
    chunked_ = true;
    if (version_ < 11) {
      Reject(error, {.message = "Transfer-Encoding in HTTP/1.0"});
    } else if (!absl::EqualsIgnoreCase(value, "chunked")) {
      Reject(error, {501, "UNIMPLEMENTED", "a Transfer-Encoding other than chunked"});
    }
  } else if (name == "expect") {
    expects_continue_ = version_ >= 11 && absl::EqualsIgnoreCase(value, "100-continue");
    if (!absl::EqualsIgnoreCase(value, "100-continue")) {
      Reject(error, {417, "INVALID_ARGUMENT", "an Expect other than 100-continue"});
    }
  } else if (name == "authorization" && !request_.call.authorization.empty()) {
    Reject(error, {.message = "a second Authorization"});
  }
}

void RequestReader::on_header_impl(error_code& error) {
  if (chunked_ && lengths_ > 0) {
    Reject(error, {.message = "both Content-Length and Transfer-Encoding"});
  } else if (hosts_ == 0 && version_ >= 11) {
    Reject(error, {.message = "HTTP/1.1 without Host"});  // RFC 9112, 3.2
  }
}

}  // namespace slipway::base::net
