// Responses as text, and those that the server makes itself. Of base/net/http only. Thread-safe:
// free functions.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/net/http/server.h"

namespace slipway::base::net {

// The project's error body with a status that is not in the table of codes (413, 431, …).
HttpResponse HttpErrorAs(int status, absl::string_view code, absl::string_view message,
                         absl::string_view reason = "");

// "Not Found"; "Status" for a number without a phrase.
absl::string_view ReasonPhrase(int status);

// Whether `response` can be written: a status from 200 to 999, header names that are tokens, values
// without line breaks. A handler may have put text of a client into them.
bool IsWellFormed(const HttpResponse& response);

// Whether a response with this status has a body at all.
bool HasBody(int status);

// "Sat, 21 Nov 2026 10:00:00 GMT".
std::string HttpDate(absl::Time time);

struct HeadOptions {
  absl::string_view date;
  bool close = false;       // says "Connection: close"
  bool keep_alive = false;  // says "Connection: keep-alive", which HTTP/1.0 needs
};

// Status line and headers with the empty line. What the server decides itself (Content-Length,
// Connection, Transfer-Encoding, Date) is not taken from the handler. REQUIRES: IsWellFormed.
std::string FormatHead(const HttpResponse& response, const HeadOptions& options);

}  // namespace slipway::base::net
