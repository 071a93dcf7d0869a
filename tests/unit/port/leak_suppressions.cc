// For builds with AddressSanitizer; without it nothing calls these.
//
// net_af_xdp keeps the umem configuration that libxdp allocates (80 bytes a socket). Its frames
// are found only by a full unwind, since the library has no frame pointers.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:xsk_umem__create\n";
}

extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "fast_unwind_on_malloc=0:malloc_context_size=8";
}
