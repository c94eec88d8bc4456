# The files that travel inside the binary (see core/assets.h), placed by the assembler.
set(CHORUS_ASSET_DIR "${CMAKE_SOURCE_DIR}/assets")
target_sources(chorus_core PRIVATE core/assets.S)
set_source_files_properties(core/assets.S PROPERTIES
  COMPILE_OPTIONS "-I${CHORUS_ASSET_DIR}"
  OBJECT_DEPENDS
  "${CHORUS_ASSET_DIR}/gpt2/vocab.bpe;${CHORUS_ASSET_DIR}/models/storyteller.safetensors")
