#include "kzg/setup/setup_text.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {
namespace {

struct Section {
  absl::string_view title;
  absl::string_view key;
  absl::string_view old_key;
  size_t count;
  size_t point_bytes;
};

constexpr std::array<Section, 3> kSections = {{
    {"G1 point in Lagrange form", "g1_lagrange", "setup_G1_lagrange", kSetupG1Points, kBytesPerG1},
    {"G2 point", "g2_monomial", "setup_G2", kSetupG2Points, kBytesPerG2},
    {"G1 point in monomial form", "g1_monomial", "setup_G1", kSetupG1Points, kBytesPerG1},
}};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The tokens of a text with the lines they stand in.
class Tokens {
 public:
  Tokens(absl::string_view text, absl::string_view name) : text_(text), name_(name) {}

  // The next token; empty at the end.
  absl::string_view Next() {
    while (at_ < text_.size() && IsSpace(text_[at_])) {
      if (text_[at_] == '\n') ++line_;
      ++at_;
    }
    const size_t begin = at_;
    while (at_ < text_.size() && !IsSpace(text_[at_])) ++at_;
    ++number_;
    return text_.substr(begin, at_ - begin);
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("read setup ", name_, ": line ", line_, ", token ", number_, ": ", what));
  }

 private:
  const absl::string_view text_;
  const absl::string_view name_;
  size_t at_ = 0;
  int line_ = 1;
  int number_ = 0;
};

// A piece of the input, short and harmless enough for a message.
std::string Shown(absl::string_view token) {
  constexpr size_t kShownMax = 20;
  return base::EscapeForTerminal(
      token.size() <= kShownMax ? token : absl::StrCat(token.substr(0, kShownMax), "..."));
}

absl::Status ReadCount(Tokens& tokens, size_t expected, absl::string_view what) {
  const absl::string_view token = tokens.Next();
  if (token == absl::StrCat(expected)) return absl::OkStatus();
  if (token.empty()) return tokens.Error(absl::StrCat("the number of ", what, " is missing"));
  return tokens.Error(
      absl::StrCat("the number of ", what, " is '", Shown(token), "'; it must be ", expected));
}

// Why `digits` are no point of `point_bytes`; empty when they are and stand at `out`.
std::string DecodePoint(absl::string_view digits, size_t point_bytes, uint8_t* out) {
  if (digits.size() != 2 * point_bytes) {
    return absl::StrCat("it has ", digits.size(), " characters; it must have ", 2 * point_bytes,
                        " hex digits");
  }
  const size_t wrong = DecodeHexDigits(digits, out);
  if (wrong == digits.size()) return "";
  return absl::StrCat("character ", wrong + 1, " ('", Shown(digits.substr(wrong, 1)),
                      "') is no hex digit");
}

absl::StatusOr<base::Bytes> ParseText(absl::string_view text, absl::string_view name) {
  Tokens tokens(text, name);
  SLIPWAY_RETURN_IF_ERROR(ReadCount(tokens, kSetupG1Points, "G1 points"));
  SLIPWAY_RETURN_IF_ERROR(ReadCount(tokens, kSetupG2Points, "G2 points"));
  base::Bytes bytes(kSetupBytes);
  uint8_t* out = bytes.data();
  for (const Section& section : kSections) {
    for (size_t i = 0; i < section.count; ++i, out += section.point_bytes) {
      const absl::string_view token = tokens.Next();
      if (token.empty()) {
        return tokens.Error(absl::StrCat(section.title, " ", i, " of ", section.count,
                                         " is missing; the file ends too early"));
      }
      const std::string reason = DecodePoint(token, section.point_bytes, out);
      if (!reason.empty()) {
        return tokens.Error(absl::StrCat(section.title, " ", i, ": ", reason));
      }
    }
  }
  const absl::string_view rest = tokens.Next();
  if (!rest.empty()) {
    return tokens.Error(
        absl::StrCat("'", Shown(rest), "' stands after the last point; remove what follows it"));
  }
  return bytes;
}

absl::Status JsonError(absl::string_view name, absl::string_view key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("read setup ", name, ": ", key, ": ", what));
}

absl::StatusOr<base::Bytes> ParseJsonForm(absl::string_view text, absl::string_view name) {
  absl::StatusOr<base::Json> json = base::ParseJson(text);
  if (!json.ok()) return base::Annotate(json.status(), absl::StrCat("read setup ", name));
  base::Bytes bytes(kSetupBytes);
  uint8_t* out = bytes.data();
  for (const Section& section : kSections) {
    absl::string_view key = section.key;
    const base::Json* list = json->Find(key);
    if (list == nullptr) list = json->Find(key = section.old_key);
    if (list == nullptr) {
      return JsonError(name, section.key, "it is missing; is this a trusted setup?");
    }
    const base::Json::Array* items = list->AsArray();
    if (items == nullptr || items->size() != section.count) {
      return JsonError(name, key, absl::StrCat("it must be a list of ", section.count, " points"));
    }
    for (size_t i = 0; i < section.count; ++i, out += section.point_bytes) {
      const std::string* item = (*items)[i].AsString();
      absl::string_view digits = item == nullptr ? "" : absl::string_view(*item);
      if (digits.substr(0, 2) == "0x") digits.remove_prefix(2);
      const std::string reason = DecodePoint(digits, section.point_bytes, out);
      if (!reason.empty()) return JsonError(name, absl::StrCat(key, "[", i, "]"), reason);
    }
  }
  return bytes;
}

}  // namespace

absl::StatusOr<base::Bytes> ParseSetup(absl::string_view text, absl::string_view name) {
  if (text.size() > kSetupTextBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("read setup ", name, ": it has ", text.size(),
                                                     " bytes; the limit is ", kSetupTextBytesMax));
  }
  const auto first = std::find_if_not(text.begin(), text.end(), IsSpace);
  return first != text.end() && *first == '{' ? ParseJsonForm(text, name) : ParseText(text, name);
}

}  // namespace slipway::kzg
