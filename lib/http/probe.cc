#include "http/probe.h"
