// File descriptors as a limit of servers: connections come from strangers, so they must never take
// the last ones, which the storage needs. Thread-safe.
#pragma once

namespace slipway::base::net {

// Raises the soft limit of this process to the hard one: the usual soft limit of 1024 is for
// programs that use select(). For main. The limit that holds then.
int RaiseDescriptorLimit();

// The soft limit.
int DescriptorLimit();

// A connection whose descriptor has this number or a higher one is to be closed at once: the kernel
// gives the lowest free number, so few are left. An eighth of the limit, at most 1024, stays for
// the process itself.
int ConnectionDescriptorsEnd();

}  // namespace slipway::base::net
