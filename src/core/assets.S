/* Files placed in the read-only part of the binary. Names: core/assets.cpp. */
.macro asset name, file
  .global \name\()_begin
  .global \name\()_end
  .hidden \name\()_begin
  .hidden \name\()_end
  .balign 64
\name\()_begin:
  .incbin "\file"
\name\()_end:
  .byte 0
.endm

  .section .rodata
  asset chorus_asset_vocab_bpe, "gpt2/vocab.bpe"
#if CHORUS_EMBED_MODEL
  asset chorus_asset_storyteller, "models/storyteller.safetensors"
#endif

#if defined(__linux__) && defined(__ELF__)
  .section .note.GNU-stack, "", %progbits
#endif
