// What the standard streams of this process are. Thread-safe: a free function.
#pragma once

namespace slipway::base::os {

struct Terminal {
  bool in = false;
  bool out = false;
  bool err = false;
  int width = 80;  // columns; 80 where no stream tells
};

Terminal DetectTerminal();

}  // namespace slipway::base::os
