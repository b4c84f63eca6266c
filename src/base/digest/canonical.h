// One encoding of values, whatever computed them: equal values have equal bytes, different values
// different bytes, today and after the next release. Structural hashes are taken of it (Z85), so
// what goes in is values only: never an address, an interner's id or the order of a hash map.
// The format is docs/formats/canonical-encoding.md. Thread-compatible.
//
//   CanonicalEncoder encoder;
//   encoder.BeginRecord("zako.Action.v1");
//   encoder.AddText("gcc");
//   encoder.BeginMap();  // of the environment
//   for (const auto& [name, value] : environment) {
//     encoder.AddText(name);
//     encoder.AddText(value);
//   }
//   encoder.EndMap();
//   encoder.EndRecord();
//   const Blake3Digest hash = encoder.Hash();
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/digest/blake3.h"

namespace slipway::base {

// Wrong nesting, an odd number of values in a map and two equal keys are bugs of the caller: they
// abort.
class CanonicalEncoder {
 public:
  void AddNone();
  void AddBool(bool value);
  // 5 as unsigned and 5 as signed are different values: the type belongs to the field.
  void AddUnsigned(uint64_t value);
  void AddSigned(int64_t value);
  void AddBytes(BytesView value);
  void AddText(absl::string_view value);  // what people read; not checked to be UTF-8
  void AddDigest(const Blake3Digest& value);

  void BeginList();
  void EndList();
  // Then key, value, key, value, … in any order; they are sorted at the end. Keys are values of any
  // type, all different.
  void BeginMap();
  void EndMap();
  // Then the fields, always all of them and in one order. `type` names the record and its version:
  // change it whenever the fields change.
  void BeginRecord(absl::string_view type);
  void EndRecord();

  // The encoding of the values added so far; every Begin has had its End.
  const Bytes& bytes() const;
  // BLAKE3 of bytes().
  Blake3Digest Hash() const;

 private:
  struct Frame {
    uint8_t tag;
    size_t content_begin;             // offset in bytes_
    std::vector<size_t> item_begins;  // of a map's keys and values
  };
  void BeginItem(uint8_t tag);
  void AppendSized(uint8_t tag, BytesView content);
  void Begin(uint8_t tag);
  Frame End(uint8_t tag);
  void SortEntries(const Frame& map);

  Bytes bytes_;
  std::vector<Frame> frames_;
};

}  // namespace slipway::base
