#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/net/http/response.h"
#include "base/net/http/server.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

bool IsParameter(absl::string_view part) {
  return part.size() > 2 && part.front() == '{' && part.back() == '}';
}

std::vector<std::string> Components(absl::string_view path) {
  return absl::StrSplit(path.substr(1), '/');
}

absl::string_view First(const Parameters& pairs, absl::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) return value;
  }
  return "";
}

// Whether `parts` is matched by `pattern`; fills in what its parameters stand for.
bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& parts,
             Parameters& parameters) {
  parameters.clear();
  if (pattern.size() != parts.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (IsParameter(pattern[i]) && !parts[i].empty()) {
      parameters.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), parts[i]);
    } else if (pattern[i] != parts[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view lower_case_name) const {
  return First(headers, lower_case_name);
}

absl::string_view HttpRequest::Query(absl::string_view name) const { return First(query, name); }

HttpResponse HttpError(const absl::Status& status) {
  SLIPWAY_CHECK(!status.ok());
  HttpResponse response =
      HttpErrorAs(HttpStatus(status.code()), absl::StatusCodeToString(status.code()),
                  status.message(), GetErrorInfo(status).code);
  if (const absl::Duration after = GetRetryAfter(status); after > absl::ZeroDuration()) {
    response.headers.emplace_back(
        "Retry-After", absl::StrCat(absl::ToInt64Seconds(absl::Ceil(after, absl::Seconds(1)))));
  }
  return response;
}

void HttpRouter::Add(absl::string_view method, absl::string_view pattern, HttpHandler handler) {
  SLIPWAY_CHECK(absl::StartsWith(pattern, "/"));
  SLIPWAY_CHECK(handler != nullptr);
  routes_.push_back({std::string(method), Components(pattern), std::move(handler)});
}

void HttpRouter::AddAtOnce(absl::string_view method, absl::string_view pattern,
                           HttpHandler handler) {
  Add(method, pattern, std::move(handler));
  routes_.back().at_once = true;
}

struct HttpRouter::Match {
  const Route* route = nullptr;  // null: none
  Parameters parameters;
  std::vector<std::string> allowed;  // methods of the path
};

HttpRouter::Match HttpRouter::Find(const HttpRequest& request) const {
  Match match;
  if (!absl::StartsWith(request.path, "/")) return match;
  const std::vector<std::string> parts = Components(request.path);
  bool best_is_get_for_head = false;
  for (const Route& route : routes_) {
    Parameters parameters;
    if (!Matches(route.parts, parts, parameters)) continue;
    match.allowed.push_back(route.method);
    const bool get_for_head = request.method == "HEAD" && route.method == "GET";
    if (route.method != request.method && !get_for_head) continue;
    // The more literal route is meant; among equals an own HEAD, then the first.
    const bool better =
        match.route == nullptr || parameters.size() < match.parameters.size() ||
        (parameters.size() == match.parameters.size() && best_is_get_for_head && !get_for_head);
    if (!better) continue;
    match.route = &route;
    match.parameters = std::move(parameters);
    best_is_get_for_head = get_for_head;
  }
  return match;
}

bool HttpRouter::AnswersAtOnce(const HttpRequest& request) const {
  const Match match = Find(request);
  return match.route != nullptr && match.route->at_once;
}

HttpResponse HttpRouter::Handle(const HttpRequest& request) const {
  if (!absl::StartsWith(request.path, "/")) {
    return HttpError(absl::InvalidArgumentError("the path does not begin with '/'"));
  }
  auto [best, best_parameters, allowed] = Find(request);
  if (best == nullptr) {
    if (allowed.empty()) return HttpError(absl::NotFoundError("no such route"));
    if (std::count(allowed.begin(), allowed.end(), "GET") > 0) allowed.emplace_back("HEAD");
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    HttpResponse response =
        HttpErrorAs(405, "UNIMPLEMENTED", "this route does not take that method");
    response.headers.emplace_back("Allow", absl::StrJoin(allowed, ", "));
    return response;
  }
  if (best_parameters.empty()) return best->handler(request);
  // First, so that a parameter of the same name in the query cannot stand for the component.
  HttpRequest with_parameters = request;
  with_parameters.query.insert(with_parameters.query.begin(), best_parameters.begin(),
                               best_parameters.end());
  return best->handler(with_parameters);
}

}  // namespace slipway::base::net
