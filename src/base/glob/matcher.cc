#include "base/glob/matcher.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace slipway::base::internal {
namespace {

bool IsSpace(unsigned char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsBlank(unsigned char c) { return c == ' ' || c == '\t'; }
bool IsControl(unsigned char c) { return absl::ascii_iscntrl(c); }
bool IsGraph(unsigned char c) { return absl::ascii_isgraph(c); }

// The classes of POSIX for ASCII; a space is what Git takes for one.
struct NamedClass {
  const char* name;
  bool (*contains)(unsigned char);
};
constexpr NamedClass kClasses[] = {
    {"alnum", [](unsigned char c) { return absl::ascii_isalnum(c); }},
    {"alpha", [](unsigned char c) { return absl::ascii_isalpha(c); }},
    {"blank", IsBlank},
    {"cntrl", IsControl},
    {"digit", [](unsigned char c) { return absl::ascii_isdigit(c); }},
    {"graph", IsGraph},
    {"lower", [](unsigned char c) { return absl::ascii_islower(c); }},
    {"print", [](unsigned char c) { return absl::ascii_isprint(c); }},
    {"punct", [](unsigned char c) { return absl::ascii_ispunct(c); }},
    {"space", IsSpace},
    {"upper", [](unsigned char c) { return absl::ascii_isupper(c); }},
    {"xdigit", [](unsigned char c) { return absl::ascii_isxdigit(c); }},
};

// Reads a bracket expression: the set of bytes between `[` and `]`.
class SetParser {
 public:
  // `at` stands behind the `[`.
  SetParser(absl::string_view pattern, size_t at) : pattern_(pattern), at_(at) {}

  bool Parse() {
    const bool negated = at_ < pattern_.size() && (Peek() == '!' || Peek() == '^');
    if (negated) ++at_;
    // A `]` in the first place stands for itself.
    for (bool first = true; at_ < pattern_.size(); first = false) {
      if (Peek() == ']' && !first) {
        ++at_;
        if (negated) set_.flip();
        return true;
      }
      if (!Item()) return false;
    }
    return false;
  }

  size_t at() const { return at_; }
  const std::bitset<256>& set() const { return set_; }

 private:
  uint8_t Peek(size_t ahead = 0) const { return static_cast<uint8_t>(pattern_[at_ + ahead]); }
  bool Has(size_t ahead) const { return at_ + ahead < pattern_.size(); }

  // One byte, range or named class. A range needs a byte before it that no range has used.
  bool Item() {
    if (Peek() == '-' && has_previous_ && Has(1) && Peek(1) != ']') {
      ++at_;
      uint8_t last = 0;
      if (!Byte(last)) return false;
      for (unsigned byte = previous_; byte <= last; ++byte) set_.set(byte);
      has_previous_ = false;
      return true;
    }
    if (Peek() == '[' && Has(1) && Peek(1) == ':') {
      const size_t end = pattern_.find(']', at_ + 2);
      if (end == absl::string_view::npos) return false;
      if (end > at_ + 2 && pattern_[end - 1] == ':') {
        has_previous_ = false;
        const size_t begin = at_ + 2;
        at_ = end + 1;
        return AddClass(pattern_.substr(begin, end - 1 - begin));
      }
    }
    if (!Byte(previous_)) return false;
    has_previous_ = true;
    set_.set(previous_);
    return true;
  }

  bool Byte(uint8_t& byte) {
    if (Peek() == '\\' && !Has(1)) return false;
    if (Peek() == '\\') ++at_;
    byte = Peek();
    ++at_;
    return true;
  }

  bool AddClass(absl::string_view name) {
    for (const NamedClass& candidate : kClasses) {
      if (name != candidate.name) continue;
      for (unsigned byte = 0; byte < set_.size(); ++byte) {
        if (candidate.contains(static_cast<unsigned char>(byte))) set_.set(byte);
      }
      return true;
    }
    return false;
  }

  absl::string_view pattern_;
  size_t at_;
  bool has_previous_ = false;
  uint8_t previous_ = 0;
  std::bitset<256> set_;
};

}  // namespace

Matcher::Matcher(absl::string_view pattern) {
  bool well_formed = true;
  for (size_t at = 0; at < pattern.size() && well_formed;) {
    switch (pattern[at]) {
      case '*':
        AddStars(pattern, at);
        break;
      case '[':
        well_formed = AddSet(pattern, at);
        break;
      case '\\':
        well_formed = AddEscaped(pattern, at);
        break;
      case '?':
        states_.push_back({.kind = Kind::kOne});
        ++at;
        break;
      default:
        states_.push_back({.kind = Kind::kByte, .byte = static_cast<uint8_t>(pattern[at])});
        ++at;
    }
  }
  if (!well_formed) return;
  const auto is_byte = [](const State& state) { return state.kind == Kind::kByte; };
  is_literal_ = std::all_of(states_.begin(), states_.end(), is_byte);
  is_suffix_ = !is_literal_ && states_.front().kind == Kind::kStar &&
               std::all_of(states_.begin() + 1, states_.end(), is_byte);
  for (const State& state : states_) {
    if (is_byte(state)) text_.push_back(static_cast<char>(state.byte));
  }
}

void Matcher::AddStars(absl::string_view pattern, size_t& at) {
  const size_t begin = at;
  at = std::min(pattern.find_first_not_of('*', at), pattern.size());
  const absl::string_view rest = pattern.substr(at);
  const bool component = at - begin >= 2 && (begin == 0 || pattern[begin - 1] == '/') &&
                         (rest.empty() || rest[0] == '/' || absl::StartsWith(rest, "\\/"));
  if (component && absl::StartsWith(rest, "/")) {
    // "**/" is any number of components, none included: the slash goes with it.
    states_.push_back({.kind = Kind::kSkip});
    states_.push_back({.kind = Kind::kDeep});
    states_.push_back({.kind = Kind::kByte, .byte = '/'});
    ++at;
    return;
  }
  states_.push_back({.kind = component ? Kind::kDeep : Kind::kStar});
}

bool Matcher::AddSet(absl::string_view pattern, size_t& at) {
  SetParser parser(pattern, at + 1);
  if (!parser.Parse()) {
    malformed_ = absl::StrCat("the set that begins at byte ", at + 1, " is not closed or unknown");
    return false;
  }
  states_.push_back({.kind = Kind::kSet, .byte = 0, .index = static_cast<uint32_t>(sets_.size())});
  sets_.push_back(parser.set());
  sets_.back().reset('/');
  at = parser.at();
  return true;
}

bool Matcher::AddEscaped(absl::string_view pattern, size_t& at) {
  if (at + 1 == pattern.size()) {
    malformed_ = "a backslash at the end escapes nothing";
    return false;
  }
  states_.push_back({.kind = Kind::kByte, .byte = static_cast<uint8_t>(pattern[at + 1])});
  at += 2;
  return true;
}

// Adds the states that are reached without a byte. They lie ahead, so one pass is enough.
void Matcher::Close(std::vector<uint8_t>& active) const {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (active[i] == 0) continue;
    const Kind kind = states_[i].kind;
    if (kind == Kind::kStar || kind == Kind::kDeep || kind == Kind::kSkip) active[i + 1] = 1;
    if (kind == Kind::kSkip) active[i + 3] = 1;
  }
}

bool Matcher::Step(const std::vector<uint8_t>& active, uint8_t byte,
                   std::vector<uint8_t>& next) const {
  bool alive = false;
  std::fill(next.begin(), next.end(), uint8_t{0});
  for (size_t i = 0; i < states_.size(); ++i) {
    if (active[i] == 0) continue;
    const State& state = states_[i];
    size_t to = i + 1;
    bool moves = false;
    switch (state.kind) {
      case Kind::kByte:
        moves = state.byte == byte;
        break;
      case Kind::kOne:
        moves = byte != '/';
        break;
      case Kind::kSet:
        moves = sets_[state.index].test(byte);
        break;
      case Kind::kStar:
      case Kind::kDeep:
        moves = state.kind == Kind::kDeep || byte != '/';
        to = i;
        break;
      case Kind::kSkip:
        break;
    }
    if (!moves) continue;
    next[to] = 1;
    alive = true;
  }
  return alive;
}

bool Matcher::Simulate(absl::string_view text) const {
  std::vector<uint8_t> active(states_.size() + 1, 0);
  std::vector<uint8_t> next(states_.size() + 1, 0);
  active[0] = 1;
  Close(active);
  for (const char c : text) {
    if (!Step(active, static_cast<uint8_t>(c), next)) return false;
    active.swap(next);
    Close(active);
  }
  return active.back() != 0;
}

bool Matcher::Matches(absl::string_view text) const {
  if (!malformed_.empty()) return false;
  if (is_literal_) return text == text_;
  if (is_suffix_) {
    return absl::EndsWith(text, text_) &&
           text.substr(0, text.size() - text_.size()).find('/') == absl::string_view::npos;
  }
  return Simulate(text);
}

}  // namespace slipway::base::internal
