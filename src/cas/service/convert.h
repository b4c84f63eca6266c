// Protobuf's types to ours and back, with validation (STYLE S29). Private to cas/service.
// Thread-safe: free functions.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "cas/digest.h"
#include "cas/service/address.h"

namespace zako::v1::digest {
class Digest;
}
namespace zako::v1::net {
class SocketAddress;
}
namespace zako::v1::cas {
class GetTransportDetailsRequest;
class NegotiateBlobsRequest;
class NegotiateBlobsResponse;
}  // namespace zako::v1::cas

namespace slipway::cas {

// InvalidArgument: the hash is not 32 bytes.
absl::StatusOr<Digest> FromProto(const zako::v1::digest::Digest& proto);
void ToProto(const Digest& digest, zako::v1::digest::Digest* proto);

// Z10. InvalidArgument: port 0 or over 65535, an IPv6 address that is not 16 bytes. Without an IP
// address both are absent.
absl::StatusOr<SocketAddress> FromProto(const zako::v1::net::SocketAddress& proto);
void ToProto(const SocketAddress& address, zako::v1::net::SocketAddress* proto);

// InvalidArgument naming the index of the digest that is none (Z5).
absl::StatusOr<std::vector<Digest>> BatchOf(const zako::v1::cas::NegotiateBlobsRequest& request);
void FillMissing(const std::vector<Digest>& missing,
                 zako::v1::cas::NegotiateBlobsResponse* response);
// FailedPrecondition: none of the protocols is one of ours (Z6).
absl::Status CheckProtocols(const zako::v1::cas::GetTransportDetailsRequest& request);

}  // namespace slipway::cas
