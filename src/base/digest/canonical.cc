#include "base/digest/canonical.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace slipway::base {
namespace {

// The first byte of each value. Numbers are never used again for something else.
constexpr uint8_t kNone = 0x00;
constexpr uint8_t kFalse = 0x01;
constexpr uint8_t kTrue = 0x02;
constexpr uint8_t kUnsigned = 0x03;
constexpr uint8_t kSigned = 0x04;
constexpr uint8_t kBytes = 0x05;
constexpr uint8_t kText = 0x06;
constexpr uint8_t kDigest = 0x07;
constexpr uint8_t kList = 0x08;
constexpr uint8_t kMap = 0x09;
constexpr uint8_t kRecord = 0x0A;

constexpr size_t kLengthBytes = 8;

void AppendNumber(Bytes& out, uint64_t value) {
  uint8_t raw[8];
  StoreLittle(raw, value);
  out.insert(out.end(), raw, raw + sizeof(raw));
}

}  // namespace

// Every value begins here, so the frame around it learns where.
void CanonicalEncoder::BeginItem(uint8_t tag) {
  if (!frames_.empty() && frames_.back().tag == kMap) {
    frames_.back().item_begins.push_back(bytes_.size());
  }
  bytes_.push_back(tag);
}

void CanonicalEncoder::AppendSized(uint8_t tag, BytesView content) {
  BeginItem(tag);
  AppendNumber(bytes_, content.size());
  bytes_.insert(bytes_.end(), content.begin(), content.end());
}

void CanonicalEncoder::AddNone() { BeginItem(kNone); }
void CanonicalEncoder::AddBool(bool value) { BeginItem(value ? kTrue : kFalse); }

void CanonicalEncoder::AddUnsigned(uint64_t value) {
  BeginItem(kUnsigned);
  AppendNumber(bytes_, value);
}

void CanonicalEncoder::AddSigned(int64_t value) {
  BeginItem(kSigned);
  AppendNumber(bytes_, static_cast<uint64_t>(value));
}

void CanonicalEncoder::AddBytes(BytesView value) { AppendSized(kBytes, value); }
void CanonicalEncoder::AddText(absl::string_view value) { AppendSized(kText, AsBytes(value)); }

void CanonicalEncoder::AddDigest(const Blake3Digest& value) {
  BeginItem(kDigest);
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void CanonicalEncoder::Begin(uint8_t tag) {
  BeginItem(tag);
  AppendNumber(bytes_, 0);  // the length, known at the end
  frames_.push_back({tag, bytes_.size(), {}});
}

CanonicalEncoder::Frame CanonicalEncoder::End(uint8_t tag) {
  SLIPWAY_CHECK(!frames_.empty());
  SLIPWAY_CHECK(frames_.back().tag == tag);
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  const uint64_t length = bytes_.size() - frame.content_begin;
  StoreLittle(bytes_.data() + frame.content_begin - kLengthBytes, length);
  return frame;
}

void CanonicalEncoder::BeginList() { Begin(kList); }
void CanonicalEncoder::EndList() { End(kList); }
void CanonicalEncoder::BeginMap() { Begin(kMap); }
void CanonicalEncoder::EndMap() { SortEntries(End(kMap)); }

void CanonicalEncoder::BeginRecord(absl::string_view type) {
  Begin(kRecord);
  AddText(type);
}
void CanonicalEncoder::EndRecord() { End(kRecord); }

void CanonicalEncoder::SortEntries(const Frame& map) {
  const std::vector<size_t>& begins = map.item_begins;
  SLIPWAY_CHECK(begins.size() % 2 == 0);
  const Bytes content(bytes_.begin() + static_cast<ptrdiff_t>(map.content_begin), bytes_.end());
  struct Entry {
    absl::string_view key;
    absl::string_view value;
  };
  std::vector<Entry> entries(begins.size() / 2);
  const absl::string_view text = AsText(content);
  for (size_t i = 0; i < entries.size(); ++i) {
    const size_t key = begins[2 * i] - map.content_begin;
    const size_t value = begins[2 * i + 1] - map.content_begin;
    const size_t end =
        2 * i + 2 < begins.size() ? begins[2 * i + 2] - map.content_begin : text.size();
    entries[i] = {text.substr(key, value - key), text.substr(value, end - value)};
  }
  // string_view compares as unsigned bytes, as memcmp does.
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.key < b.key; });
  bytes_.resize(map.content_begin);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) SLIPWAY_CHECK(entries[i - 1].key != entries[i].key);
    for (const absl::string_view part : {entries[i].key, entries[i].value}) {
      const BytesView raw = AsBytes(part);
      bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
  }
}

const Bytes& CanonicalEncoder::bytes() const {
  SLIPWAY_CHECK(frames_.empty());
  return bytes_;
}

Blake3Digest CanonicalEncoder::Hash() const { return Blake3Of(bytes()); }

}  // namespace slipway::base
