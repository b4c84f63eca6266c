// What the standard streams of this process are. Thread-safe: free functions.
#pragma once

namespace slipway::base::os {

struct Terminal {
  bool in = false;
  bool out = false;
  bool err = false;
  int width = 80;  // columns; 80 where no stream tells
};

Terminal DetectTerminal();

// Whether the other end of the pipe or socket that standard output is has been closed.
bool OutputReaderGone();

}  // namespace slipway::base::os
