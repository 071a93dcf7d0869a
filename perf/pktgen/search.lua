-- Searches the no-drop rate of an appliance with tcpreplay or trafgen on a Linux host. --help says
-- how; docs/traffic-generators.md, what to cable and what the result means.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local appliance = require("appliance")
local no_drop_rate = require("no_drop_rate")
local senders = require("senders")

local USAGE = [[
usage: lua5.4 perf/pktgen/search.lua --interface NAME --trace FILE --metrics URL --port NAME ...

  --interface NAME       send here
  --trace FILE           of imds-tracegen, with its FILE.expected.json
  --metrics URL          the inspector's, such as http://192.0.2.9:39254/metrics
  --port NAME            the inspector's port that is measured, as in its configuration
  --sender NAME          tcpreplay (default), or trafgen (a trace of --format trafgen)
  --highest MBIT         Mbit/s of frames, without preamble, FCS and gap (default 1000)
  --lowest MBIT          below that nothing is tried (default 1)
  --resolution MBIT      how close to come (default 1 % of the highest)
  --seconds N            of a trial while searching, at least (default 10)
  --confirm-seconds N    of the trials the result must pass, at least (default 60)
  --confirm-trials N     how many of those (default 3)
  --no-alerts            do not demand the trace's alerts (see the page for when)
  --json FILE            write all trials and the result there

Trials send whole loops of the trace, so a large trace makes long trials at low rates.
Exit codes: 0 a rate was found; 1 packets are lost even at the lowest; 2 usage; 4 something is
missing or does not work.
]]

local function leave(code, words)
  io.stderr:write(words, "\n")
  os.exit(code)
end

local function arguments()
  local options = {
    sender = "tcpreplay", highest = 1000, lowest = 1, seconds = 10,
    confirm_seconds = 60, confirm_trials = 3,
  }
  local texts = {
    interface = true, trace = true, metrics = true, port = true, sender = true, json = true,
  }
  local numbers = {
    highest = true, lowest = true, resolution = true, seconds = true, confirm_seconds = true,
    confirm_trials = true,
  }
  local i = 1
  while i <= #arg do
    local name = arg[i]:match("^%-%-([%w-]+)$")
    name = name and name:gsub("-", "_")
    if name == "help" then
      io.write(USAGE)
      os.exit(0)
    elseif name == "no_alerts" then
      options.no_alerts = true
      i = i + 1
    elseif texts[name] or numbers[name] then
      local value = arg[i + 1]
      if numbers[name] then
        value = math.tointeger(value) or tonumber(value)
      end
      if not value then
        leave(2, "search.lua: " .. arg[i] .. " needs a " .. (texts[name] and "value" or "number"))
      end
      options[name] = value
      i = i + 2
    else
      leave(2, "search.lua: unknown option " .. arg[i] .. " (see --help)")
    end
  end
  for _, name in ipairs({ "interface", "trace", "metrics", "port" }) do
    if not options[name] then
      leave(2, "search.lua: --" .. name .. " is needed (see --help)")
    end
  end
  if not senders[options.sender] then
    leave(2, "search.lua: --sender is tcpreplay or trafgen, not " .. options.sender)
  end
  options.resolution = options.resolution or options.highest / 100
  return options
end

local function is_installed(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1") == true
end

local function need_all(options)
  local missing = {}
  for _, program in ipairs({ options.sender, "curl" }) do
    if not is_installed(program) then
      table.insert(missing, program .. " is not installed (Debian: " ..
        ({ trafgen = "netsniff-ng" })[program] or program .. ")")
    end
  end
  if not os.execute("test -e /sys/class/net/" .. appliance.quoted(options.interface)) then
    table.insert(missing, "there is no interface " .. options.interface)
  end
  local pipe = io.popen("id -u")
  if pipe and pipe:read("n") ~= 0 then
    table.insert(missing, options.sender .. " needs root to send")
  end
  if #missing > 0 then
    leave(4, "search.lua: " .. table.concat(missing, "\nsearch.lua: "))
  end
end

local function json_text(value)
  if type(value) ~= "table" then
    return type(value) == "string" and '"' .. value:gsub('[%c"\\]', " ") .. '"' or tostring(value)
  end
  local parts = {}
  if #value > 0 then
    for _, item in ipairs(value) do
      table.insert(parts, json_text(item))
    end
    return "[" .. table.concat(parts, ",\n ") .. "]"
  end
  local names = {}
  for name in pairs(value) do
    table.insert(names, name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    table.insert(parts, '"' .. name .. '": ' .. json_text(value[name]))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function main()
  local options = arguments()
  need_all(options)
  local trace = appliance.expectation(options.trace)
  local function read()
    return appliance.counters(appliance.fetch(options.metrics), options.port, trace.rules)
  end
  local function sleep(seconds)
    os.execute("sleep " .. seconds)
  end

  local function trial(rate, seconds)
    local loops = math.max(1, math.ceil(rate * 1e6 / 8 * seconds / trace.bytes))
    local before = appliance.settled(read, sleep)
    local packets, took = senders[options.sender]({
      trace = options.trace, interface = options.interface, mbit_per_s = rate, loops = loops,
      packets = trace.packets, bytes = trace.bytes,
    })
    local after = appliance.settled(read, sleep)
    local outcome = appliance.judge(before, after, packets,
      not options.no_alerts and loops * trace.alerts or nil)
    outcome.achieved = packets / trace.packets * trace.bytes * 8e-6 / took
    return outcome
  end

  options.report = function(done)
    print(string.format("%-7s %10.2f Mbit/s (sent %10.2f): %s", done.purpose, done.rate,
      done.achieved, done.passed and "nothing lost" or done.why))
  end
  local result = no_drop_rate.search(options, trial)
  if options.json then
    local file, why = io.open(options.json, "w")
    if not file then
      leave(4, "search.lua: cannot write " .. why)
    end
    file:write(json_text(result), "\n")
    file:close()
  end
  if not result.rate then
    leave(1, string.format("loses packets even at %g Mbit/s", options.lowest))
  end
  local limits = { highest = "highest rate asked for" }
  print(string.format("no-drop rate: %.2f Mbit/s, %.4f Mpps; limited by the %s", result.rate,
    result.rate / 8 / trace.bytes * trace.packets, limits[result.limited_by] or result.limited_by))
end

local succeeded, why = pcall(main)
if not succeeded then
  leave(4, "search.lua: " .. tostring(why))
end
