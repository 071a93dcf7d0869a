#include "compile_job.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "match/compilation.h"

namespace imds::match {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(50);

std::atomic<std::size_t> abandoned{0};

struct Job {
  CompileArguments arguments;
  std::mutex mutex;
  std::condition_variable ended;
  Compiled result;
  bool is_ended = false;
  bool is_abandoned = false;
};

void work(const std::shared_ptr<Job>& job) {
  Compiled result = compile_here(job->arguments);
  const std::lock_guard lock(job->mutex);
  job->result = std::move(result);
  job->is_ended = true;
  if (job->is_abandoned) {
    job->result = {};
    abandoned.fetch_sub(1);
  }
  job->ended.notify_all();
}

// False: there are no more threads.
bool start(const std::shared_ptr<Job>& job) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a thread has those of who makes it
  bool started = true;
  try {
    std::thread(work, job).detach();
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace

std::size_t abandoned_compilations() {
  return abandoned.load();
}

Compiled compile_here(const CompileArguments& arguments) {
  const auto count = static_cast<unsigned>(arguments.expressions.size());
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  Compiled out;
  out.status = arguments.literals_only
                   ? hs_compile_lit_multi(arguments.expressions.data(), arguments.flags.data(),
                                          arguments.ids.data(), arguments.lengths.data(), count,
                                          HS_MODE_BLOCK, nullptr, &database, &error)
                   : hs_compile_multi(arguments.expressions.data(), arguments.flags.data(),
                                      arguments.ids.data(), count, HS_MODE_BLOCK, nullptr,
                                      &database, &error);
  out.database.reset(database);
  out.error.reset(error);
  return out;
}

Result<Compiled> compile_aside(CompileArguments arguments, const Deadline& deadline) {
  if (abandoned_compilations() > 0) {
    return fail(ErrorKind::runtime,
                "a compilation that took too long is still under way; try again later");
  }
  const auto job = std::make_shared<Job>();
  job->arguments = std::move(arguments);
  if (!start(job)) {
    return compile_here(job->arguments);
  }
  std::unique_lock lock(job->mutex);
  while (!job->ended.wait_for(lock, kPatience, [&] { return job->is_ended; })) {
    if (Status wanted = deadline.check("compiling the rules"); !wanted) {
      job->is_abandoned = true;
      abandoned.fetch_add(1);
      return pass_on(wanted);
    }
  }
  return std::move(job->result);
}

}  // namespace imds::match
