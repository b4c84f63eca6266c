#include "base/net/http/response.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json/json.h"

namespace slipway::base::net {
namespace {

struct Phrase {
  int status;
  absl::string_view text;
};
constexpr std::array kPhrases = {
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{204, "No Content"},
    Phrase{206, "Partial Content"},
    Phrase{301, "Moved Permanently"},
    Phrase{302, "Found"},
    Phrase{303, "See Other"},
    Phrase{304, "Not Modified"},
    Phrase{307, "Temporary Redirect"},
    Phrase{308, "Permanent Redirect"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{408, "Request Timeout"},
    Phrase{409, "Conflict"},
    Phrase{411, "Length Required"},
    Phrase{412, "Precondition Failed"},
    Phrase{413, "Content Too Large"},
    Phrase{414, "URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Range Not Satisfiable"},
    Phrase{417, "Expectation Failed"},
    Phrase{422, "Unprocessable Content"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{499, "Client Closed Request"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Gateway Timeout"},
    Phrase{505, "HTTP Version Not Supported"},
    Phrase{507, "Insufficient Storage"},
};

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", c);
}

bool IsToken(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsTokenCharacter);
}

bool IsValue(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

// What the server writes itself, because a wrong one would break the stream of messages.
bool IsOfTheServer(absl::string_view name) {
  constexpr std::array<absl::string_view, 7> kNames = {
      "content-length", "connection", "transfer-encoding",     "date",
      "content-type",   "keep-alive", "x-content-type-options"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](absl::string_view own) { return absl::EqualsIgnoreCase(own, name); });
}

}  // namespace

HttpResponse HttpErrorAs(int status, absl::string_view code, absl::string_view message,
                         absl::string_view reason) {
  Json error = Json::MakeObject();
  error.Set("code", code);
  if (!reason.empty()) error.Set("reason", reason);
  if (!message.empty()) error.Set("message", message);
  Json body = Json::MakeObject();
  body.Set("error", std::move(error));
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = absl::StrCat(body.Dump(), "\n");
  return response;
}

absl::string_view ReasonPhrase(int status) {
  const auto* const found = std::find_if(kPhrases.begin(), kPhrases.end(),
                                         [&](const Phrase& p) { return p.status == status; });
  return found == kPhrases.end() ? absl::string_view("Status") : found->text;
}

bool IsWellFormed(const HttpResponse& response) {
  if (response.status < 200 || response.status > 999) return false;
  if (!IsValue(response.content_type)) return false;
  return std::all_of(response.headers.begin(), response.headers.end(),
                     [](const auto& h) { return IsToken(h.first) && IsValue(h.second); });
}

bool HasBody(int status) { return status != 204 && status != 304; }

std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

std::string FormatHead(const HttpResponse& response, const HeadOptions& options) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", response.status, " ", ReasonPhrase(response.status),
                   "\r\nDate: ", options.date, "\r\nX-Content-Type-Options: nosniff\r\n");
  if (HasBody(response.status)) {
    if (!response.content_type.empty()) {
      absl::StrAppend(&head, "Content-Type: ", response.content_type, "\r\n");
    }
    absl::StrAppend(&head, "Content-Length: ", response.body.size(), "\r\n");
  }
  for (const auto& [name, value] : response.headers) {
    if (!IsOfTheServer(name)) absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  if (options.close) {
    head += "Connection: close\r\n";
  } else if (options.keep_alive) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace slipway::base::net
