// One compilation by the library, which cannot be interrupted: in a thread of its own, so that
// whoever waits for it can go on without its result.
//
// Threads: run() from any; the thread it starts takes no signals. Given up, the work goes on until
// it ends by itself, and frees what it made; abandoned_compilations() counts those. The process
// must then end without running destructors of static objects, which the library may still read.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <hs.h>

#include "base/deadline.h"
#include "base/result.h"

namespace imds::match {

// The pattern arrays in the layout the library wants. `text` must not move afterwards.
struct CompileArguments {
  std::vector<std::string> text;
  std::vector<const char*> expressions;
  std::vector<std::size_t> lengths;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  bool literals_only = false;
};

struct FreeDatabase {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
};
struct FreeCompileError {
  void operator()(hs_compile_error_t* error) const { hs_free_compile_error(error); }
};

struct Compiled {
  hs_error_t status = HS_NOMEM;
  std::unique_ptr<hs_database_t, FreeDatabase> database;
  std::unique_ptr<hs_compile_error_t, FreeCompileError> error;
};

// Here and now, however long it takes.
[[nodiscard]] Compiled compile_here(const CompileArguments& arguments);

// Errors: that of the deadline, looked at every kPatience; or (runtime) an earlier compilation that
// was given up is not at its end yet.
[[nodiscard]] Result<Compiled> compile_aside(CompileArguments arguments, const Deadline& deadline);

}  // namespace imds::match
