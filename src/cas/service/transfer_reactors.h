// The two transfers as gRPC reactors over raw bytes (Z145). Private to cas/service.
//
// A reactor owns itself from its start until OnDone, and each job of its strand keeps it alive: so
// nothing is touched after its end, whatever order gRPC, the pool and the client choose.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "cas/service/stream_call.h"

namespace slipway::cas {

grpc::ServerReadReactor<grpc::ByteBuffer>* StartUpload(ServiceParts& parts,
                                                       base::net::Service::Raw& raw,
                                                       grpc::CallbackServerContext& context,
                                                       grpc::ByteBuffer* response);
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartDownload(ServiceParts& parts,
                                                          base::net::Service::Raw& raw,
                                                          grpc::CallbackServerContext& context,
                                                          const grpc::ByteBuffer& request);

}  // namespace slipway::cas
