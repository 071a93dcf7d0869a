#include "http/head_end.h"
