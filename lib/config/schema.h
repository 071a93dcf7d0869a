// The schema: which keys the file may have, what each may hold and where it goes.
#pragma once

#include "config/config.h"
#include "section.h"

namespace imds::config {

void read_config(Section& file, Config& config);

}  // namespace imds::config
