// Digests between our struct and the message. Private to this folder.
#pragma once

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "cas/digest.h"
#include "compat/zako/v1/digest.pb.h"

namespace slipway::cas {

inline ::zako::v1::digest::Digest ToProto(const Digest& digest) {
  ::zako::v1::digest::Digest proto;
  proto.set_size_bytes(digest.size_bytes);
  proto.set_blake3(digest.blake3.data(), digest.blake3.size());
  return proto;
}

// InvalidArgument: the hash is not 32 bytes.
inline absl::StatusOr<Digest> FromProto(const ::zako::v1::digest::Digest& proto) {
  const std::string& hash = proto.blake3();
  return MakeDigest(base::AsBytes(absl::string_view(hash.data(), hash.size())), proto.size_bytes());
}

}  // namespace slipway::cas
