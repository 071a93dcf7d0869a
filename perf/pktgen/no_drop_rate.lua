-- The highest rate at which an appliance loses nothing: the throughput of RFC 2544, section 26.1,
-- by bisection. Knows nothing of generators or appliances: trials are made by the caller.
local no_drop_rate = {}

-- A generator that sends less than this part of what was asked for is at its own limit.
local LEAST_ACHIEVED = 0.98

local function check(options)
  for _, name in ipairs({ "lowest", "highest", "resolution", "seconds", "confirm_seconds" }) do
    local value = options[name]
    if type(value) ~= "number" or value <= 0 then
      error(name .. " must be a number above 0, not " .. tostring(value), 0)
    end
  end
  if options.lowest > options.highest then
    error("lowest is above highest", 0)
  end
  local trials = options.confirm_trials
  if math.type(trials) ~= "integer" or trials < 1 then
    error("confirm_trials must be a whole number above 0, not " .. tostring(trials), 0)
  end
end

-- options: lowest, highest, resolution (in one unit, which is the caller's), seconds of a searching
-- trial, confirm_seconds and confirm_trials of those that the result must pass, report (optional,
-- called with each finished trial).
--
-- trial(rate, seconds) returns a table: passed, why (of a failure), achieved (rate really sent).
-- It may raise an error, which ends the search.
--
-- Returns a table: rate (nil: lost packets even at the lowest), limited_by ("appliance",
-- "generator" or "highest": nothing was lost at the highest rate asked for), trials (all of them).
function no_drop_rate.search(options, trial)
  check(options)
  local result = { trials = {}, limited_by = "appliance" }

  local function try(rate, seconds, purpose)
    local outcome = trial(rate, seconds)
    local done = {
      rate = rate,
      seconds = seconds,
      purpose = purpose,
      passed = outcome.passed,
      why = outcome.why,
      achieved = outcome.achieved or rate,
    }
    done.is_short = done.achieved < rate * LEAST_ACHIEVED
    table.insert(result.trials, done)
    if options.report then
      options.report(done)
    end
    return done
  end

  -- Invariant: `low` passed, `high` did not.
  local low, high
  local first = try(options.highest, options.seconds, "search")
  if first.passed then
    low = math.min(first.achieved, options.highest)
    result.limited_by = first.is_short and "generator" or "highest"
  else
    high = math.min(first.achieved, options.highest)
    if options.lowest < high and try(options.lowest, options.seconds, "search").passed then
      low = options.lowest
    else
      return result
    end
  end
  while high and high - low > options.resolution do
    local rate = (low + high) / 2
    local done = try(rate, options.seconds, "search")
    if not done.passed then
      high = rate
    elseif done.is_short then
      -- Between what the generator can do and what failed there is nothing left to try.
      low = math.max(low, done.achieved)
      result.limited_by = "generator"
      break
    else
      low = rate
    end
  end

  -- Short trials are lucky now and then: the result must pass long ones.
  while low >= options.lowest do
    local passed = true
    for _ = 1, options.confirm_trials do
      if not try(low, options.confirm_seconds, "confirm").passed then
        passed = false
        break
      end
    end
    if passed then
      result.rate = low
      return result
    end
    result.limited_by = "appliance"
    low = low - options.resolution
  end
  return result
end

return no_drop_rate
