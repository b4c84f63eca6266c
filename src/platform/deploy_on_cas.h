// Packages of deploy-tool in a content-addressed store (D168): whole objects as blobs.
//
// A CAS has no names. What names a version's blobs is its publish record: the location of the store
// carries `package_digest`, `index_digest`, `pieces_digest` and `manifest_digest`, and the record
// is written last, so what is not yet all there has no name. The record itself and releases are
// names too: here they live only as long as the repository; the project keeps them.
//
// Thread-safe; calls block.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "cas/blob_store.h"
#include "deploy/cli/stores.h"
#include "deploy/model/manifest.h"
#include "deploy/repository/repository.h"

namespace slipway::platform {

struct CasRepositoryOptions {
  std::string name;      // of the store, as records name its location
  std::string endpoint;  // what the location says of where it is
  // The publish record of a version; absent: none. Called from several threads.
  std::function<absl::StatusOr<std::optional<deploy::PublishRecord>>(const deploy::Component&)>
      record;
};

// Put stores the bytes as a blob and remembers its digest, which LocationOf then states; Get and
// Stat find a digest among those, then in the record: in the location of this name, else in any
// other of type cas, for a digest means the same bytes everywhere. Bytes that are not the digest's
// are DT007; what the store does not have is NotFound. Remove forgets the name; the blob may be
// somebody else's too and is left to the store's collection. List is Unimplemented.
std::unique_ptr<deploy::Repository> RepositoryOnCas(std::unique_ptr<cas::BlobStore> store,
                                                    CasRepositoryOptions options,
                                                    base::Clock& clock);

// Objects that come as a stream must be hashed before they can be sent, so they are held in memory;
// files of any size are read twice.
inline constexpr uint64_t kStreamBytesMax = 64ull << 20;

// Opens `type: cas` of the configuration. Connects on first use. InvalidArgument: the address or
// what is in the TLS files.
deploy::cli::StoreOpener CasStoreOpener();

}  // namespace slipway::platform
