#include "reload.h"

#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>
#include <rte_lcore.h>
#include <rte_telemetry.h>
#include <spdlog/spdlog.h>

#include "base/text.h"
#include "control.h"
#include "report.h"

namespace imds::inspector {

namespace {

using Clock = std::chrono::steady_clock;

constexpr char kCommand[] = "/imds/reload";
// How long workers and story may take to leave the former rules. A burst takes microseconds.
constexpr auto kPatience = std::chrono::seconds(10);
// Longer than any compilation may take, and kPatience.
constexpr auto kClientPatience = std::chrono::seconds(600);

struct SectionCheck {
  const char* name;
  bool (*same)(const config::Config&, const config::Config&);
};

template <auto Member>
bool same(const config::Config& a, const config::Config& b) {
  return a.*Member == b.*Member;
}

constexpr SectionCheck kFixed[] = {
    {"observer", same<&config::Config::observer>},
    {"ports", same<&config::Config::ports>},
    {"workers", same<&config::Config::workers>},
    {"memory", same<&config::Config::memory>},
    {"eal", same<&config::Config::eal>},
    {"tunnels", same<&config::Config::tunnels>},
    {"flow", same<&config::Config::flow>},
    {"inspect", same<&config::Config::inspect>},
    {"fragments", same<&config::Config::fragments>},
    {"evidence", same<&config::Config::evidence>},
    {"alerts", same<&config::Config::alerts>},
    {"metrics", same<&config::Config::metrics>},
};

// Whom the telemetry handler serves; its callback carries no context, and its threads are DPDK's.
std::mutex served_mutex;
Reloader* served = nullptr;

int handle_reload(const char*, const char*, rte_tel_data* reply) {
  rte_tel_data_start_dict(reply);
  const std::lock_guard lock(served_mutex);
  if (served == nullptr) {
    reply_failure(reply, {ErrorKind::runtime, "it is stopping", {}});
    return 0;
  }
  const auto result = served->reload();
  if (!result) {
    reply_failure(reply, result.error());
    return 0;
  }
  rte_tel_data_add_dict_u64(reply, "generation", result->generation);
  rte_tel_data_add_dict_u64(reply, "rules", result->rules);
  rte_tel_data_add_dict_u64(reply, "microseconds",
                            static_cast<std::uint64_t>(result->seconds * 1e6));
  return 0;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

}  // namespace

std::vector<std::string> needs_restart(const config::Config& in_force,
                                       const config::Config& wanted) {
  std::vector<std::string> out;
  for (const SectionCheck& section : kFixed) {
    if (!section.same(in_force, wanted)) {
      out.emplace_back(section.name);
    }
  }
  return out;
}

Reloader::Reloader(const CommandLine& line, const Settings& in_force, Engine& engine,
                   Applied applied, void* context)
    : line_(line), in_force_(in_force), engine_(engine), applied_(applied), context_(context) {
  status_.last_success = wall_clock_now();
}

void Reloader::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  {
    const std::lock_guard lock(served_mutex);
    served = this;
  }
  rte_telemetry_register_cmd(kCommand, handle_reload,
                             "Reloads rules, endpoints and suppressions. No parameters");
}

void Reloader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  {
    const std::lock_guard lock(served_mutex);
    if (served == this) {
      served = nullptr;
    }
  }
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
}

void Reloader::request() {
  {
    const std::lock_guard lock(mutex_);
    ++requested_;
  }
  changed_.notify_all();
}

Result<Reloaded> Reloader::reload() {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = ++requested_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return answered_ >= ticket || stopped_; });
  if (answered_ < ticket) {
    return fail(ErrorKind::runtime, "it stopped while the reload was under way");
  }
  return last_;
}

ReloadStatus Reloader::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Reloader::run(const std::stop_token& stop) {
  // Tables of addresses are made and freed by threads that EAL knows.
  const bool registered = rte_thread_register() == 0;
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return requested_ > answered_; })) {
    const std::uint64_t ticket = requested_;
    lock.unlock();
    auto result = registered ? attempt(stop)
                             : Result<Reloaded>(fail(ErrorKind::environment,
                                                     "DPDK has no place for the reloading thread"));
    if (result) {
      spdlog::info("{}", describe_reload(*result));
    } else {
      spdlog::error("reload failed, the former rules stay in force: {}",
                    escape_for_terminal(result.error().to_string()));
    }
    lock.lock();
    answered_ = ticket;
    status_.success = result.has_value();
    ++(result ? status_.succeeded : status_.failed);
    if (result) {
      status_.last_success = wall_clock_now();
      status_.seconds = result->seconds;
    }
    last_ = std::move(result);
    changed_.notify_all();
  }
  lock.unlock();
  if (registered) {
    rte_thread_unregister();
  }
}

Result<Reloaded> Reloader::attempt(const std::stop_token& stop) {
  const Clock::time_point begin = Clock::now();
  auto wanted = load_settings(line_);
  if (!wanted) {
    return pass_on(wanted);
  }
  RulesetOptions options;
  options.generation = engine_.policy()->generation() + 1;
  options.stop = stop;
  auto ruleset = load_ruleset(wanted->config.rules, options);
  if (!ruleset) {
    return pass_on(ruleset);
  }
  for (const config::Warning& warning : wanted->config.warnings) {
    spdlog::warn("{}", warning.to_string());
  }
  report_ruleset(*ruleset);
  auto generation = replace(*wanted, *ruleset, stop);
  if (!generation) {
    return pass_on(generation);
  }
  report_suppressions(engine_.policy()->suppressions);
  const std::chrono::duration<double> took = Clock::now() - begin;
  if (const auto fixed = needs_restart(in_force_.config, wanted->config); !fixed.empty()) {
    spdlog::warn("reload: {}: changed in {}, in force only after a restart", joined(fixed),
                 wanted->config_path);
  }
  in_force_.config.rules = wanted->config.rules;
  in_force_.config.endpoints = wanted->config.endpoints;
  in_force_.config.suppress = wanted->config.suppress;
  in_force_.config.on_premises = wanted->config.on_premises;
  in_force_.config.log = wanted->config.log;
  applied_(context_, in_force_.config);
  if (!wait_for_former(stop)) {
    spdlog::warn("reload: a worker does not take the new rules; the former ones are kept for it");
  }
  return Reloaded{*generation, ruleset->compiled->size(), took.count()};
}

// DPDK's memory has room for two generations, not for more.
Result<std::uint32_t> Reloader::replace(const Settings& wanted, const Ruleset& ruleset,
                                        const std::stop_token& stop) {
  if (!wait_for_former(stop)) {
    return fail(ErrorKind::runtime,
                "a worker has not left the rules that the last reload replaced: it hangs");
  }
  auto policy = make_policy(wanted.config, ruleset.compiled, engine_.policy().get());
  if (!policy) {
    return pass_on(policy);
  }
  if (auto status = engine_.put_in_force(*policy, &ruleset); !status) {
    return pass_on(status);
  }
  return (*policy)->generation();
}

bool Reloader::wait_for_former(const std::stop_token& stop) {
  const Clock::time_point until = Clock::now() + kPatience;
  while (!engine_.free_former()) {
    if (Clock::now() > until || stop.stop_requested()) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

Result<Reloaded> ask_running_to_reload(const std::string& file_prefix) {
  auto answer = ask_running(file_prefix, kCommand, kClientPatience);
  if (!answer) {
    return pass_on(answer);
  }
  if (!*answer) {
    return fail(ErrorKind::runtime,
                "no inspector runs under DPDK file prefix \"" + file_prefix + "\"");
  }
  const nlohmann::json& body = **answer;
  return Reloaded{body.value("generation", std::uint32_t{0}), body.value("rules", std::size_t{0}),
                  body.value("microseconds", 0.0) / 1e6};
}

std::string describe_reload(const Reloaded& reloaded) {
  return "reloaded in " + std::to_string(static_cast<std::uint64_t>(reloaded.seconds * 1000)) +
         " ms: " + std::to_string(reloaded.rules) + " rules in force, generation " +
         std::to_string(reloaded.generation);
}

}  // namespace imds::inspector
