// CHORUS_EXPORT: what the shared library shows to programs. Everything else in it is hidden.
#pragma once

#define CHORUS_EXPORT __attribute__((visibility("default")))
// A part of an exported class that is not.
#define CHORUS_HIDDEN __attribute__((visibility("hidden")))
