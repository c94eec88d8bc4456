# The files that are built for one instruction set each; every other file is built for the baseline,
# and kernels/dispatch.cpp chooses among them at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties("${chorus_SOURCE_DIR}/src/kernels/avx2.cpp"
    TARGET_DIRECTORY chorus_kernels PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  set_source_files_properties("${chorus_SOURCE_DIR}/src/kernels/avx512.cpp"
    TARGET_DIRECTORY chorus_kernels PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mfma;-mprefer-vector-width=512;$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
  set_source_files_properties("${chorus_SOURCE_DIR}/src/kernels/avx_vnni.cpp"
    TARGET_DIRECTORY chorus_kernels PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mavxvnni")
  # AMX's own instructions are in assembler, which needs no flag.
  set_source_files_properties("${chorus_SOURCE_DIR}/src/kernels/avx512_vnni.cpp"
    "${chorus_SOURCE_DIR}/src/kernels/avx512_amx.cpp" "${chorus_SOURCE_DIR}/src/kernels/avx512_amx_bf16.cpp"
    TARGET_DIRECTORY chorus_kernels PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mfma;-mprefer-vector-width=512;$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
  set_source_files_properties("${chorus_SOURCE_DIR}/src/kernels/avx512_bf16.cpp"
    TARGET_DIRECTORY chorus_kernels PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512bf16;-mfma;-mprefer-vector-width=512;$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
  # GCC's own AVX-512 header starts its undefined values with themselves, hence the two -Wno.
endif()
