package tfmodel

// #include <stdlib.h>
//
// // absl::SetMinLogLevel of the Abseil that TensorFlow 2.21 brings. Weak: with another Abseil it is missing, and the lines
// // are back.
// extern void set_min_log_level(int) __asm__("_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE") __attribute__((weak));
//
// static void be_quiet(int argc, char **argv, char **env) {
//   if (set_min_log_level && !getenv("TF_CPP_MIN_LOG_LEVEL")) set_min_log_level(2); // errors
// }
//
// __attribute__((section(".preinit_array"), used)) static void (*quiet)(int, char **, char **) = be_quiet;
import "C"

// TensorFlow tells about itself on stderr while the dynamic loader still initialises it, before any Go code runs, and
// would do so at each call of a command. Only the executable's pre-initialisers run earlier. Setting
// TF_CPP_MIN_LOG_LEVEL brings all of it back.
