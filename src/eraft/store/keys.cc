#include "eraft/store/keys.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"

namespace slipway::eraft {
namespace {

constexpr char kFormat = 0x01;
constexpr char kEscape = '\0';
constexpr char kEscapedZero = '\xff';
constexpr char kEscapeEnd = 0x01;
constexpr absl::string_view kShardMetaName = "shard/";

void AppendBig(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

template <class T>
std::optional<T> TakeBig(absl::string_view& text) {
  if (text.size() < sizeof(T)) return std::nullopt;
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8 | static_cast<uint8_t>(text[i]));
  }
  text.remove_prefix(sizeof(T));
  return value;
}

std::string Prefix(GroupId group, KeyKind kind) {
  std::string out(1, kFormat);
  AppendBig(out, group, 4);
  out.push_back(static_cast<char>(kind));
  return out;
}

std::string ShardPrefix(GroupId group, KeyKind kind, ShardId shard) {
  std::string out = Prefix(group, kind);
  AppendBig(out, shard, 4);
  return out;
}

// All keys that begin with `prefix`. Every prefix begins with kFormat, so there is an end.
KeyRange PrefixRange(std::string prefix) {
  std::string end = prefix;
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  SLIPWAY_CHECK(!end.empty());
  end.back() = static_cast<char>(end.back() + 1);
  return {std::move(prefix), std::move(end)};
}

// The part of a key behind its kind, into `out`; false: it does not fit its kind.
bool DecodeRest(absl::string_view rest, DecodedKey& out) {
  switch (out.kind) {
    case KeyKind::kMeta:
    case KeyKind::kMvcc:
    case KeyKind::kRevision:
    case KeyKind::kLease:
    case KeyKind::kAuth:
      out.text = std::string(rest);
      return true;
    case KeyKind::kExpiry: {
      const auto time = TakeBig<uint64_t>(rest);
      const auto shard = TakeBig<uint32_t>(rest);
      const auto client = TakeBig<uint64_t>(rest);
      out.time = time.value_or(0);
      out.shard = shard.value_or(0);
      out.client = client.value_or(0);
      return client.has_value() && rest.empty();
    }
    case KeyKind::kShardData:
    case KeyKind::kChunk:
    case KeyKind::kSession:
      break;
    default:
      return false;
  }
  const auto shard = TakeBig<uint32_t>(rest);
  if (!shard.has_value()) return false;
  out.shard = *shard;
  if (out.kind == KeyKind::kShardData) {
    out.text = std::string(rest);
    return true;
  }
  if (out.kind == KeyKind::kChunk) {
    auto key = TakeEscapedKey(rest);
    const auto chunk = TakeBig<uint32_t>(rest);
    if (!key.ok() || !chunk.has_value() || !rest.empty()) return false;
    out.text = *std::move(key);
    out.chunk = *chunk;
    return true;
  }
  const auto client = TakeBig<uint64_t>(rest);
  if (!client.has_value()) return false;
  out.client = *client;
  out.is_answer = !rest.empty();
  const auto command = TakeBig<uint64_t>(rest);
  out.command = command.value_or(0);
  return rest.empty() && out.is_answer == command.has_value();
}

}  // namespace

KeyRange GroupRange(GroupId group) {
  std::string prefix(1, kFormat);
  AppendBig(prefix, group, 4);
  return PrefixRange(std::move(prefix));
}

KeyRange KindRange(GroupId group, KeyKind kind) { return PrefixRange(Prefix(group, kind)); }

std::string MetaKey(GroupId group, absl::string_view name) {
  return absl::StrCat(Prefix(group, KeyKind::kMeta), name);
}

std::string ShardMetaKey(GroupId group, ShardId shard) {
  std::string out = MetaKey(group, kShardMetaName);
  AppendBig(out, shard, 4);
  return out;
}

KeyRange ShardMetaRange(GroupId group) { return PrefixRange(MetaKey(group, kShardMetaName)); }

std::string DataKey(GroupId group, ShardId shard, absl::string_view key) {
  return absl::StrCat(ShardPrefix(group, KeyKind::kShardData, shard), key);
}

std::string ChunkKey(GroupId group, ShardId shard, absl::string_view key, uint32_t chunk) {
  std::string out = absl::StrCat(ShardPrefix(group, KeyKind::kChunk, shard), EscapeKey(key));
  AppendBig(out, chunk, 4);
  return out;
}

KeyRange ChunkRange(GroupId group, ShardId shard, absl::string_view key) {
  return PrefixRange(absl::StrCat(ShardPrefix(group, KeyKind::kChunk, shard), EscapeKey(key)));
}

std::string SessionKey(GroupId group, ShardId shard, ClientId client) {
  std::string out = ShardPrefix(group, KeyKind::kSession, shard);
  AppendBig(out, client, 8);
  return out;
}

std::string AnswerKey(GroupId group, ShardId shard, ClientId client, CommandId command) {
  std::string out = SessionKey(group, shard, client);
  AppendBig(out, command, 8);
  return out;
}

KeyRange AnswerRange(GroupId group, ShardId shard, ClientId client) {
  KeyRange range = PrefixRange(SessionKey(group, shard, client));
  range.begin.push_back('\0');  // behind the session itself
  return range;
}

std::string ExpiryKey(GroupId group, uint64_t time, ShardId shard, ClientId client) {
  std::string out = Prefix(group, KeyKind::kExpiry);
  AppendBig(out, time, 8);
  AppendBig(out, shard, 4);
  AppendBig(out, client, 8);
  return out;
}

KeyRange ShardRange(GroupId group, KeyKind kind, ShardId shard) {
  KeyRange range = PrefixRange(ShardPrefix(group, kind, shard));
  if (SLIPWAY_MUTANT("eraft-prefix-without-bound")) range.end = KindRange(group, kind).end;
  return range;
}

absl::StatusOr<DecodedKey> DecodeKey(absl::string_view key) {
  absl::string_view rest = key;
  DecodedKey out;
  if (!rest.empty() && rest.front() == kFormat) {
    rest.remove_prefix(1);
    const auto group = TakeBig<uint32_t>(rest);
    if (group.has_value() && !rest.empty()) {
      out.group = *group;
      out.kind = static_cast<KeyKind>(rest.front());
      rest.remove_prefix(1);
      if (DecodeRest(rest, out)) return out;
    }
  }
  return absl::DataLossError(
      absl::StrCat("key ", absl::BytesToHexString(key.substr(0, 64)), " is of no known kind"));
}

std::string EscapeKey(absl::string_view key) {
  std::string out;
  out.reserve(key.size() + 2);
  for (const char c : key) {
    out.push_back(c);
    if (c == kEscape) out.push_back(kEscapedZero);
  }
  out.push_back(kEscape);
  out.push_back(kEscapeEnd);
  return out;
}

absl::StatusOr<std::string> TakeEscapedKey(absl::string_view& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != kEscape) {
      out.push_back(text[i]);
      continue;
    }
    const char next = i + 1 < text.size() ? text[i + 1] : kEscape;
    ++i;
    if (next == kEscapeEnd) {
      text.remove_prefix(i + 1);
      return out;
    }
    if (next != kEscapedZero) break;
    out.push_back(kEscape);
  }
  return absl::DataLossError("an escaped key has no end");
}

}  // namespace slipway::eraft
