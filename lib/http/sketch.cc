#include "http/sketch.h"
