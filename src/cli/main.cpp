#include "cli/program.h"

int main(int argc, char** argv) { return chorus::cli::run_program(CHORUS_VERSION, argc, argv); }
