#!/bin/bash
# Installs what is needed, builds, and runs every test. The last line counts them.
set -uo pipefail

usage() {
  cat <<'EOF'
usage: scripts/test.sh [--quick] [--no-install] [--only STEP]...

  --quick        for development: no sanitised build, no end-to-end tests that need root
  --no-install   do not look for missing packages
  --only STEP    style, release, unit, sanitize or e2e; may be repeated (steps build what they use)

Steps and what they take on two cores without a warm compiler cache:
  install    packages from Debian (install-deps.sh --tests)                     1-3 min, once
  style      shellcheck, clang-format, room borders                             10 s
  release    optimised build                                                    about 5 min
  unit       unit tests of that build                                           20 s
  sanitize   build with AddressSanitizer and UndefinedBehaviorSanitizer (clang),
             unit tests, and the capture-file tests against those programs      about 7 min
  e2e        the programs themselves: capture files, bad input, network namespaces with real
             clients and a real Prometheus (these need root or a sudo that does not ask)  5 min
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
unset PYTHONPATH PYTHONHOME
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8

quick=
install=1
only=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --no-install) install= ;;
    --only) only+=("${2:?--only needs a step}"); shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

logs=build/test-logs
rm -rf "$logs" 2>/dev/null || sudo -n rm -rf "$logs"
mkdir -p "$logs"

passed=0 failed=0 skipped=0
failures=()

wanted() {  # wanted STEP
  local step
  if [ ${#only[@]} -gt 0 ]; then
    for step in "${only[@]}"; do [ "$step" = "$1" ] && return 0; done
    return 1
  fi
  [ -z "$quick" ] || [ "$1" != sanitize ]
}

began=0
begin() {
  began=$SECONDS
  printf '\n== %s\n' "$*"
}
ended() { printf -- '-- took %d s\n' $((SECONDS - began)); }

fail() {
  failed=$((failed + 1))
  failures+=("$1")
  echo "FAILED: $1"
}

# A check that is one test: its name, then its command.
check() {
  local title=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok: $title"
  else
    fail "$title"
  fi
}

# Adds up a JUnit report; a test run without a report is a failure, whatever it returned.
count() {  # count TITLE REPORT EXIT-CODE
  local title=$1 report=$2 code=$3 numbers p f s
  if [ ! -s "$report" ] || ! numbers=$(/usr/bin/python3 scripts/junit-count.py "$report"); then
    fail "$title: no test report (exit code $code)"
    return
  fi
  read -r p f s < <(head -1 <<<"$numbers")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -gt 0 ]; then
    while read -r line; do failures+=("$title: $line"); done < <(tail -n +2 <<<"$numbers")
  elif [ "$code" != 0 ]; then
    fail "$title: exit code $code although no test failed"
  fi
  echo "$title: $p passed, $f failed, $s skipped"
}

shell_files() { find scripts tests perf .ci -name '*.sh' -o -path '.ci/run'; }

style() {
  begin "style: shellcheck, clang-format, borders between rooms"
  # shellcheck disable=SC2046  # no file of ours has a space in its name
  check "shellcheck" shellcheck $(shell_files)
  check "clang-format" scripts/format.sh --check
  check "rooms include only what their meson.build names" /usr/bin/python3 scripts/check-rooms.py
  ended
}

build() {  # build TYPE WORDS
  begin "$2"
  if scripts/build.sh "$1" >"$logs/build-$1.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok: $1 build"
    ended
    return 0
  fi
  tail -60 "$logs/build-$1.log"
  fail "$1 build (log: $logs/build-$1.log)"
  ended
  return 1
}

unit_tests() {  # unit_tests TYPE
  begin "unit tests ($1 build)"
  local code=0 report=build/$1/meson-logs/testlog.junit.xml
  rm -f "$report"
  meson test -C "build/$1" --no-rebuild --print-errorlogs \
    >"$logs/unit-$1.log" 2>&1 || code=$?
  [ "$code" = 0 ] || tail -100 "$logs/unit-$1.log"
  count "unit tests, $1" "$report" "$code"
  ended
}

end_to_end() {  # end_to_end TYPE TITLE PYTEST-ARGUMENTS...
  local type=$1 title=$2 code=0 as_root=()
  shift 2
  begin "$title"
  if [ "$(id -u)" != 0 ] && [ -z "$quick" ]; then
    if sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      echo "neither root nor a sudo that does not ask: tests that need namespaces are skipped"
    fi
  fi
  "${as_root[@]}" env IMDS_BUILD="$PWD/build/$type" PYTHONDONTWRITEBYTECODE=1 \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    /usr/bin/python3 -m pytest -p no:cacheprovider -q -ra --durations=5 --timeout=120 \
    --junitxml="$logs/e2e-$type.xml" "$@" tests/e2e || code=$?
  count "$title" "$logs/e2e-$type.xml" "$code"
  ended
}

if [ -n "$install" ]; then
  begin "packages"
  scripts/install-deps.sh --tests || { echo "cannot install packages"; exit 4; }
  ended
fi

if wanted style; then style; fi

release_built=
if wanted release || wanted unit || wanted e2e; then
  build release "release build (about 5 minutes the first time)" && release_built=1
fi
if [ -n "$release_built" ]; then
  if wanted unit; then unit_tests release; fi
  if wanted e2e; then
    if [ -n "$quick" ]; then
      end_to_end release "end to end, without namespaces" -m 'not lab'
    else
      end_to_end release "end to end"
    fi
  fi
fi

# Memory and undefined-behaviour errors must end the process, not scroll by.
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0
if wanted sanitize; then
  if build sanitize "sanitised build (about 7 minutes the first time)"; then
    unit_tests sanitize
    end_to_end sanitize "capture files, sanitised" -m 'sanitize'
  fi
fi

printf '\n== done in %d min %d s\n' $((SECONDS / 60)) $((SECONDS % 60))
if [ ${#failures[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
