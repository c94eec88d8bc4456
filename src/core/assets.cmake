# The files that travel inside the binary (see core/assets.h), placed by the assembler.

# chorus_add_assets(TARGET WITH_MODEL)
# Adds them to a target; the default model only if WITH_MODEL is true.
function(chorus_add_assets target with_model)
  set(files "${chorus_SOURCE_DIR}/assets/gpt2/vocab.bpe")
  if(with_model)
    list(APPEND files "${chorus_SOURCE_DIR}/assets/models/storyteller.safetensors")
  endif()
  target_sources(${target} PRIVATE "${chorus_SOURCE_DIR}/src/core/assets.S" "${chorus_SOURCE_DIR}/src/core/assets.cpp")
  # A member of the library for itself, so that a test can put another in its place.
  set_source_files_properties("${chorus_SOURCE_DIR}/src/core/assets.cpp" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_source_files_properties("${chorus_SOURCE_DIR}/src/core/assets.S" PROPERTIES
    INCLUDE_DIRECTORIES "${chorus_SOURCE_DIR}/assets" OBJECT_DEPENDS "${files}")
  target_compile_definitions(${target} PRIVATE CHORUS_EMBED_MODEL=$<BOOL:${with_model}>)
endfunction()
chorus_add_assets(chorus_core ${CHORUS_EMBED_MODEL})
