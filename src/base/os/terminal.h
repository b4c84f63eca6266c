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

// Gives the numbers of standard streams that are closed to something that refuses to be read or
// written: or the first files to be opened would get them, and what is printed would go there.
void ReserveStandardStreams();

// The descriptor of standard input; -1 when this process was started without one, and a library has
// taken its number since.
int StandardInput();

// Whether the other end of the pipe or socket that standard output is has been closed.
bool OutputReaderGone();

}  // namespace slipway::base::os
