// The test binary is also the program that the shells complete: `base_cli_test --as-demo ARGS…`.
#include <gtest/gtest.h>

#include <iostream>

#include "absl/strings/string_view.h"
#include "base/cli/test_program.h"
#include "base/os/world.h"

int main(int argc, char** argv) {
  if (argc > 1 && absl::string_view(argv[1]) == "--as-demo") {
    using namespace slipway::base;
    os::World world;
    cli::Streams streams{std::cin, std::cout, std::cerr};
    auto program = cli::MakeDemo(std::make_shared<cli::DemoOptions>(), cli::DemoProgramOptions());
    return program->Run(std::vector<std::string>(argv + 2, argv + argc), streams, world.world());
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
