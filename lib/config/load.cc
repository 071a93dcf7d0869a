#include "config/load.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <sys/stat.h>
#include <system_error>

#include "checks.h"
#include "schema.h"
#include "section.h"
#include "yaml.h"

namespace imds::config {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return {};
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_file(const std::string& path, const std::string& what) {
  const auto refuse = [&](const std::string& why) {
    return fail_at(ErrorKind::config, {path, 0, 0}, "cannot read " + what + ": " + why);
  };
  const auto system_says = [] { return std::generic_category().message(errno); };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (!file) {
    return refuse(system_says());
  }
  struct stat status {};
  if (fstat(fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode)) {
    return refuse("it is a folder");
  }
  // One byte more than allowed, so that parse() sees that there is more.
  std::string text(kMaxFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    return refuse(system_says());
  }
  return text;
}

}  // namespace

Result<Config> load_file(const std::string& path) {
  Result<std::string> text = read_file(path, "the configuration");
  if (!text) {
    return pass_on(text);
  }
  return parse(*text, path);
}

Result<Config> parse(std::string_view text, const std::string& name) {
  Result<Node> tree = parse_yaml(text, name);
  if (!tree) {
    return pass_on(tree);
  }
  if (tree->kind != Node::Kind::map && tree->kind != Node::Kind::null) {
    return fail_at(ErrorKind::config, {name, tree->place.line, tree->place.column},
                   "expected keys and values, such as 'workers:'");
  }
  Context context;
  context.file = name;
  context.folder = folder_of(name);
  Config config;
  // Defaults stand beside the configuration file too.
  for (std::string& path : config.rules.paths) {
    path = context.beside(path);
  }
  config.rules.fields = context.beside(config.rules.fields);
  config.rules.clients = context.beside(config.rules.clients);
  Section file(*tree, {}, context, tree->place);
  read_config(file, config);
  file.finish();
  if (context.error) {
    return tl::unexpected<Error>(*context.error);
  }
  if (Status valid = validate(config); !valid) {
    return pass_on(valid);
  }
  return config;
}

Result<std::vector<ClientKind>> load_clients(const std::string& path) {
  Result<std::string> text = read_file(path, "the table of user agents");
  if (!text) {
    return pass_on(text);
  }
  return parse_clients(*text, path);
}

Result<std::vector<ClientKind>> parse_clients(std::string_view text, const std::string& name) {
  Result<Node> tree = parse_yaml(text, name);
  if (!tree) {
    return pass_on(tree);
  }
  Context context;
  context.file = name;
  std::vector<ClientKind> clients;
  const bool is_map = tree->kind == Node::Kind::map;
  Section file(*tree, {}, context, tree->place);
  if (!is_map || !read_clients(file, clients)) {
    context.fail(tree->place, "expected a list of kinds under 'clients'");
  }
  file.finish();
  if (context.error) {
    return tl::unexpected<Error>(*context.error);
  }
  return clients;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refuse = [] {
    return fail(ErrorKind::config, "expected an IPv4 address and port such as 127.0.0.1:39254");
  };
  if (text.starts_with('[') ||
      IpAddress::parse(text.substr(0, text.rfind(':'))).value_or(IpAddress{}).is_v6()) {
    return fail(ErrorKind::config,
                "expected an IPv4 address and port such as 127.0.0.1:39254 (the metrics' HTTP "
                "server knows no IPv6; put a reverse proxy in front of it)");
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return refuse();
  }
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, colon));
  const std::optional<std::uint64_t> port = parse_whole_number(text.substr(colon + 1));
  if (!address || !address->is_v4() || !port || *port > 65535) {
    return refuse();
  }
  return ListenAddress{*address, static_cast<std::uint16_t>(*port)};
}

Result<std::string> parse_ring_name(std::string_view text) {
  if (std::string problem = check_shared_memory_name(text); !problem.empty()) {
    return fail(ErrorKind::config, std::move(problem));
  }
  return std::string(text);
}

Result<std::string> parse_interface_name(std::string_view text) {
  if (std::string problem = check_interface(text); !problem.empty()) {
    return fail(ErrorKind::config, std::move(problem));
  }
  return std::string(text);
}

std::vector<std::string> schema_keys() {
  std::vector<std::string> keys;
  Context context;
  context.keys = &keys;
  Config config;
  const Node nothing;
  Section file(nothing, {}, context, {});
  read_config(file, config);
  return keys;
}

}  // namespace imds::config
