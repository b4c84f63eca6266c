// `type: cas` of deploy-tool's configuration over the client of zako-casd.
#include <memory>
#include <utility>

#include "base/status.h"
#include "cas/client/remote_store.h"
#include "platform/deploy_on_cas.h"

namespace slipway::platform {
namespace {

base::Owned<deploy::Repository> Open(const deploy::cli::StoreRequest& request) {
  const deploy::cli::StoreConfig& config = request.config;
  cas::RemoteOptions options;
  options.channel.address = config.endpoint;
  options.channel.use_tls = config.tls.enabled;
  options.channel.tls.ca = config.tls.ca;
  options.channel.tls.cert = config.tls.cert;
  options.channel.tls.key = config.tls.key;
  options.channel.tls.server_name = config.tls.server_name;
  options.token = config.token;
  options.cancel = request.cancel;
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<cas::RemoteStore> store,
                           cas::OpenRemoteStore(options, request.world.files, request.world.clock,
                                                request.world.random));
  return RepositoryOnCas(std::move(store), {config.name, config.endpoint, request.record},
                         request.world.clock);
}

}  // namespace

deploy::cli::StoreOpener CasStoreOpener() { return Open; }

}  // namespace slipway::platform
