#include <memory>

#include "cas/service/services.h"
#include "cas/service/transfer_reactors.h"
#include "compat/zako/v1/transport.grpc.pb.h"

namespace slipway::cas {
namespace {

using Generated = zako::v1::transport::Transport;

class TransportService final : public Generated::WithRawCallbackMethod_Download<
                                   Generated::WithRawCallbackMethod_Upload<Generated::Service>>,
                               public base::net::Service {
 public:
  explicit TransportService(ServiceParts& parts) : parts_(parts) { raw_.service = this; }

  Raw& raw() override { return raw_; }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Download(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override {
    return StartDownload(parts_, raw_, *context, *request);
  }
  grpc::ServerReadReactor<grpc::ByteBuffer>* Upload(grpc::CallbackServerContext* context,
                                                    grpc::ByteBuffer* response) override {
    return StartUpload(parts_, raw_, *context, response);
  }

 private:
  ServiceParts& parts_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeTransportService(ServiceParts& parts) {
  return std::make_unique<TransportService>(parts);
}

}  // namespace slipway::cas
