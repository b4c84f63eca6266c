// What is in the log as a command is refused or has one form; keys and rows likewise.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "eraft/store/command.h"
#include "eraft/store/keys.h"
#include "eraft/store/sessions.h"
#include "eraft/store/state.h"
#include "eraft/store/values.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace eraft = slipway::eraft;
  const slipway::base::BytesView bytes(data, size);
  const absl::string_view text = slipway::base::AsText(bytes);
  if (const auto command = eraft::DecodeCommand(bytes); command.ok()) {
    const slipway::base::Bytes written = eraft::EncodeCommand(*command);
    SLIPWAY_CHECK(slipway::base::BytesView(written) == bytes);
  }
  if (const auto answer = eraft::DecodeAnswer(text); answer.ok()) {
    SLIPWAY_CHECK(eraft::EncodeAnswer(*answer) == text);
  }
  if (const auto session = eraft::DecodeSession(text); session.ok()) {
    SLIPWAY_CHECK(eraft::EncodeSession(*session) == text);
  }
  if (const auto head = eraft::DecodeValueHead(text); head.ok()) {
    SLIPWAY_CHECK(head->tail.size() <= size);
  }
  if (const auto key = eraft::DecodeKey(text); key.ok() && key->kind == eraft::KeyKind::kChunk) {
    SLIPWAY_CHECK(eraft::ChunkKey(key->group, key->shard, key->text, key->chunk) == text);
  }
  if (const auto state = eraft::DecodeGroupState(text); state.ok()) {
    SLIPWAY_CHECK(eraft::EncodeGroupState(*state) == text);
  }
  return 0;
}
