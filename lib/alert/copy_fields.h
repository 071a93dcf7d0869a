// Which of a finding's members say a field.
#pragma once

#include "event/finding.h"

namespace imds::alert {

// What one field says, from one finding to another. Those of tunnels are not copied: a record has
// them all or none.
void copy_field(event::Finding& to, const event::Finding& from, event::FieldId field);

}  // namespace imds::alert
