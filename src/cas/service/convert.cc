#include "cas/service/convert.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "compat/zako/v1/cas.pb.h"
#include "compat/zako/v1/digest.pb.h"
#include "compat/zako/v1/net.pb.h"

namespace slipway::cas {

absl::StatusOr<Digest> FromProto(const zako::v1::digest::Digest& proto) {
  return MakeDigest(base::AsBytes(proto.blake3()), proto.size_bytes());
}

void ToProto(const Digest& digest, zako::v1::digest::Digest* proto) {
  proto->set_size_bytes(digest.size_bytes);
  proto->set_blake3(digest.blake3.data(), digest.blake3.size());
}

absl::StatusOr<SocketAddress> FromProto(const zako::v1::net::SocketAddress& proto) {
  SocketAddress address;
  if (proto.port() == 0 || proto.port() > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("read address: ", proto.port(), " is no port"));
  }
  address.port = static_cast<uint16_t>(proto.port());
  if (proto.ip().has_v4()) address.v4 = proto.ip().v4();
  if (proto.ip().has_v6()) {
    const std::string& v6 = proto.ip().v6();
    address.v6.emplace();
    if (v6.size() != address.v6->size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("read address: an IPv6 address of ", v6.size(), " bytes; it has 16"));
    }
    std::copy(v6.begin(), v6.end(), address.v6->begin());
  }
  return address;
}

void ToProto(const SocketAddress& address, zako::v1::net::SocketAddress* proto) {
  proto->set_port(address.port);
  if (address.v4.has_value()) proto->mutable_ip()->set_v4(*address.v4);
  if (address.v6.has_value()) {
    proto->mutable_ip()->set_v6(address.v6->data(), address.v6->size());
  }
}

absl::StatusOr<std::vector<Digest>> BatchOf(const zako::v1::cas::NegotiateBlobsRequest& request) {
  std::vector<Digest> batch;
  batch.reserve(static_cast<size_t>(request.blob_digests_size()));
  for (int i = 0; i < request.blob_digests_size(); ++i) {
    absl::StatusOr<Digest> digest = FromProto(request.blob_digests(i));
    if (!digest.ok()) return base::Annotate(digest.status(), absl::StrCat("read digest ", i));
    batch.push_back(*digest);
  }
  return batch;
}

void FillMissing(const std::vector<Digest>& missing,
                 zako::v1::cas::NegotiateBlobsResponse* response) {
  response->clear_missing_blob_digests();
  for (const Digest& digest : missing) ToProto(digest, response->add_missing_blob_digests());
}

absl::Status CheckProtocols(const zako::v1::cas::GetTransportDetailsRequest& request) {
  for (const int protocol : request.supported_protocols()) {
    if (protocol == zako::v1::net::grpc) return absl::OkStatus();
  }
  return absl::FailedPreconditionError("no supported transport protocol");
}

}  // namespace slipway::cas
