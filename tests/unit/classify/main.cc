// DPDK's tables need EAL; it starts before any test and ends with the process.
#include <gtest/gtest.h>

#include "support/eal.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  imds::support::start_eal();
  return RUN_ALL_TESTS();
}
