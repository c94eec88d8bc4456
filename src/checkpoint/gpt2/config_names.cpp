#include "checkpoint/gpt2/config_names.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace chorus::checkpoint {
namespace {

// What the names of a group say together; find_field_name() looks at them in turn. Names are parted
// by spaces, and written as they are found, for people to search.
struct Group {
  Meaning meaning;
  const char* what;
  std::string_view names;
};

constexpr Group kGroups[] = {
    // Sizes.
    {Meaning::kBlockSize, nullptr,
     "block_size n_positions max_position_embeddings n_ctx context_length context_size "
     "context_window ctx_len ctx_length ctx_size context_len max_context_length "
     "num_positions"},
    {Meaning::kVocabSize, nullptr, "vocab_size n_vocab vocabulary_size num_vocab vocab_len"},
    {Meaning::kLayers, nullptr,
     "n_layer n_layers num_layers num_layer num_hidden_layers n_blocks num_blocks "
     "n_transformer_layers num_transformer_layers num_decoder_layers decoder_layers"},
    {Meaning::kHeads, nullptr,
     "n_head n_heads num_heads num_head num_attention_heads n_attention_heads n_attn_heads "
     "num_attn_heads attention_heads decoder_attention_heads heads number_of_heads "
     "num_query_heads n_query_heads"},
    {Meaning::kEmbedding, nullptr,
     "n_embd n_embed n_embedding n_emb hidden_size d_model emb_dim embd_dim embed_dim "
     "embedding_dim embedding_size embed_size emb_size model_dim dim_model d_embed d_emb"},
    {Meaning::kInner, nullptr,
     "n_inner intermediate_size d_ff ffn_dim d_mlp mlp_dim dim_feedforward ffn_hidden_size "
     "feedforward_dim decoder_ffn_dim n_ff"},
    {Meaning::kHeadSize, nullptr,
     "kv_channels size_per_head "
     "head_size head_dim d_head dim_head attention_head_size dim_per_head"},
    {Meaning::kKeyValueHeads, nullptr,
     "n_kv_head n_kv_heads num_kv_heads num_kv_head kv_heads num_key_value_heads "
     "n_key_value_heads n_query_groups num_query_groups num_kv_groups n_kv_groups n_head_kv"},
    // What is honoured.
    {Meaning::kActivation, nullptr,
     "activation activation_function activation_fn activation_func activation_type "
     "activation_name hidden_act hidden_activation hidden_activation_function act act_fn "
     "act_func act_type act_layer act_name afn mlp_activation mlp_act ffn_activation "
     "ff_activation nonlinearity non_linearity mlp_nonlinearity"},
    {Meaning::kReluFlag, nullptr, "use_relu relu relu_activation"},
    {Meaning::kGeluFlag, nullptr, "use_gelu"},
    {Meaning::kTanhGelu, nullptr,
     "approximate gelu_approximate gelu_approximation approximate_gelu gelu_approx "
     "approx_gelu use_approximate_gelu gelu_tanh use_gelu_tanh tanh_gelu use_tanh_gelu "
     "new_gelu use_new_gelu"},
    {Meaning::kEpsilon, nullptr,
     "layer_norm_epsilon layer_norm_eps layernorm_epsilon layernorm_eps norm_eps "
     "norm_epsilon ln_eps ln_epsilon eps_layernorm"},
    {Meaning::kBias, nullptr, "bias use_bias use_biases biases add_bias with_bias"},
    {Meaning::kTied, nullptr,
     "tie_word_embeddings tie_weights tie_embeddings tie_embedding tied tied_weights "
     "tied_embeddings weight_tying use_weight_tying tie_lm_head tied_head tie_head "
     "share_embeddings shared_embeddings share_weights share_embedding tie_wte "
     "tie_token_embeddings tie_input_output_embeddings share_input_output_embeddings"},
    {Meaning::kUntied, nullptr,
     "untie untied untie_weights untie_embeddings untie_word_embeddings "
     "untie_embeddings_and_output_weights untied_embeddings untie_lm_head untie_head"},
    {Meaning::kScaled, nullptr,
     "scale_attn_weights scale_attention_weights scale_attn scale_attention"},
    {Meaning::kScaledByLayer, nullptr,
     "scale_attn_by_inverse_layer_idx scale_attn_by_layer_idx "
     "scale_attention_by_inverse_layer_idx"},
    {Meaning::kUpcast, nullptr, "reorder_and_upcast_attn"},
    // Kinds, of which one is computed.
    {Meaning::kNormKind, nullptr,
     "norm norm_type norm_kind norm_class norm_class_name norm_layer norm_name norm_cls "
     "normalization normalization_type normalization_layer layer_norm_type layernorm_type "
     "layer_norm_kind ln_type"},
    {Meaning::kPositionKind, nullptr,
     "pos_embed pos_emb pos_embd pos_embedding pos_embeddings pos_enc pos_encoding pos_type "
     "pos_emb_type pos_embd_type pos_embed_type pos_encoding_type position_embedding "
     "position_embeddings position_embedding_type position_embeddings_type position_encoding "
     "position_encoding_type positional_embedding positional_embeddings "
     "positional_embedding_type positional_encoding positional_encoding_type positional "
     "positions_type position_type pe pe_type learned_pos_emb learned_pos_embd "
     "learned_pos_embedding learned_positions learned_position_embeddings "
     "use_learned_pos_emb use_pos_emb use_pos_embed use_position_embeddings "
     "use_positional_embedding use_positional_embeddings use_positional_encoding use_wpe"},
    {Meaning::kModelType, nullptr, "model_type"},
    {Meaning::kArchitectures, nullptr, "architectures"},
    // What is not computed.
    {Meaning::kMustBeOff, "rotary positions",
     "rope use_rope rotary use_rotary rotary_emb use_rotary_emb rotary_embd rotary_embedding "
     "rotary_embeddings use_rotary_embedding use_rotary_embeddings rotary_pos_emb "
     "use_rotary_pos_emb rotary_position_embedding rotary_position_embeddings "
     "use_rotary_position_embeddings rotary_pct rotary_percent rotary_percentage rotary_dim "
     "partial_rotary_factor rope_scaling use_rope_embeddings apply_rope with_rope"},
    {Meaning::kMustBeOff, "ALiBi", "alibi use_alibi alibi_bias attn_alibi with_alibi"},
    {Meaning::kMustBeOff, "other positions than learned ones",
     "relative_attention use_relative_attention relative_pos relative_position "
     "relative_positions relative_position_embedding use_relative_position "
     "use_relative_positions use_rel_pos rel_pos rel_pos_bias rel_pos_emb "
     "relative_attention_num_buckets position_biased_input sinusoidal use_sinusoidal "
     "sinusoidal_embeddings sinusoidal_embedding sinusoidal_pos sinusoidal_pos_emb "
     "sinusoidal_pos_embds use_sinusoidal_pos_emb use_sinusoidal_embeddings nope use_nope "
     "no_pos no_pos_emb no_pos_embed no_wpe no_positional_embedding xpos use_xpos fire "
     "use_fire kerple"},
    {Meaning::kMustBeOff, "RMS norm",
     "rmsnorm use_rmsnorm use_rms_norm rms_norm rms use_rms with_rmsnorm"},
    {Meaning::kMustBeOff, "another norm",
     "scale_norm use_scalenorm use_scale_norm scalenorm use_layerscale layer_scale "
     "layerscale use_dyt dyt dynamic_tanh use_dynamic_tanh use_deepnorm deepnorm batchnorm "
     "use_batchnorm batch_norm use_batch_norm apply_layernorm_1p layernorm_1p "
     "zero_centered_gamma"},
    {Meaning::kMustBeOff, "norms after each part (post-norm)",
     "post_norm post_ln postnorm postln use_post_norm use_post_ln post_layer_norm "
     "post_layernorm use_post_layer_norm apply_residual_connection_post_layernorm "
     "sandwich_norm use_sandwich_norm peri_ln use_peri_ln sub_ln subln use_sub_ln"},
    {Meaning::kMustBeOff, "a norm of queries and keys",
     "qk_norm qk_layernorm qk_layer_norm use_qk_norm use_qk_layernorm use_qknorm qk_ln "
     "attn_qk_norm query_key_norm qk_norm_scale use_query_key_norm"},
    {Meaning::kMustBeOff, "a norm of the embedding",
     "embedding_layer_norm embed_layer_norm embed_norm use_embed_norm embedding_norm "
     "use_embedding_norm norm_embedding normalize_embedding normalize_embeddings "
     "layernorm_embedding embed_ln use_embedding_layernorm"},
    {Meaning::kMustBeOff, "a gated MLP",
     "swiglu use_swiglu geglu use_geglu reglu use_reglu glu use_glu gated_mlp use_gated_mlp "
     "gated gated_linear_unit is_gated_act mlp_gated gated_ffn use_gated_ffn "
     "use_gated_activation"},
    {Meaning::kMustBeOff, "another activation than gelu and relu",
     "silu use_silu swish use_swish use_mish relu2 relu_2 use_relu2 relu_squared "
     "use_relu_squared squared_relu use_squared_relu sqrelu leaky_relu use_leaky_relu "
     "quick_gelu use_quick_gelu use_prelu use_tanh use_kan kan"},
    {Meaning::kMustBeOff, "attention and MLP side by side",
     "parallel parallel_residual use_parallel_residual parallel_block parallel_blocks "
     "use_parallel_block parallel_attn parallel_attention use_parallel_attention "
     "parallel_attn_mlp parallel_mlp use_parallel parallel_layers gptj_residual "
     "use_gptj_residual parallel_attn_block"},
    {Meaning::kMustBeOff, "keys and values shared by heads",
     "multi_query multiquery use_mqa mqa use_multi_query multi_query_attention "
     "multiquery_attention use_gqa gqa grouped_query use_grouped_query "
     "grouped_query_attention use_mla mla kv_lora_rank q_lora_rank"},
    {Meaning::kMustBeOff, "a mixture of experts",
     "moe use_moe n_expert n_experts num_experts num_local_experts num_moe_experts "
     "expert_num n_routed_experts use_mixture_of_experts mixture_of_experts enable_moe"},
    {Meaning::kMustBeOff, "attention to a window",
     "sliding_window sliding_window_size use_sliding_window attention_window attn_window "
     "local_attention use_local_attention local_attn attention_types attention_layers "
     "sliding_window_pattern window_attention use_sliding_window_attention sparse_attention "
     "use_sparse_attention"},
    {Meaning::kMustBeOff, "cross-attention",
     "add_cross_attention cross_attention use_cross_attention is_encoder_decoder "
     "has_cross_attention"},
    {Meaning::kMustBeOff, "a cap on scores or logits",
     "attn_logit_softcapping attn_logit_softcap attention_logit_softcapping attn_softcap "
     "attn_soft_cap final_logit_softcapping final_logit_softcap logit_softcap "
     "logit_softcapping logits_softcap logits_soft_cap logit_soft_cap logit_cap use_softcap "
     "softcap soft_cap tanh_clipping"},
    {Meaning::kMustBeOff, "another softmax",
     "softmax_one softmax1 use_softmax1 use_softmax_one quiet_attention quiet_softmax "
     "attn_sink attention_sink attention_sinks use_attention_sinks use_sinks "
     "sigmoid_attention use_sigmoid_attention linear_attention use_linear_attention "
     "differential_attention use_diff_attn diff_attn cosine_attention use_cosine_attention "
     "entmax sparsemax"},
    {Meaning::kMustBeOff, "a scale on the embedding",
     "scale_embedding scale_embeddings scale_embd scale_embed use_embedding_scale"},
    {Meaning::kMustBeOff, "mup's multipliers", "mup use_mup apply_mup mup_enabled"},
    {Meaning::kMustBeOff, "layers that share weights",
     "share_layers share_layer_weights universal universal_transformer cross_layer_sharing "
     "shared_layers use_universal_transformer layer_sharing"},
    {Meaning::kMustBeOff, "a residual path of another form",
     "use_value_residual value_residual residual_lambdas resid_lambdas x0_lambdas use_x0 "
     "unet use_unet unet_design use_skip_connections value_embeds value_embeddings "
     "use_value_embeds hyper_connections use_hyper_connections reversible"},
    {Meaning::kMustBeOff, "a loop over layers or several tokens at once",
     "n_loops num_loops multi_token_prediction num_nextn_predict_layers n_future_tokens "
     "early_exit use_early_exit"},
    {Meaning::kMustBeOff,
     "weights quantised by another program (save the model in f32, f16 or bf16 instead)",
     "quantization_config quantization bitsandbytes"},
    {Meaning::kMustBeOff, "pruned heads", "pruned_heads"},
    // What is always so.
    {Meaning::kMustBeOn, "norms after each part (post-norm)",
     "pre_norm prenorm pre_ln preln use_pre_norm use_pre_ln pre_layer_norm norm_first "
     "normalize_before do_layer_norm_before decoder_normalize_before pre_layernorm"},
    {Meaning::kMustBeOn, "a model without a last norm",
     "final_norm final_layer_norm final_layernorm use_final_norm use_final_layer_norm "
     "use_ln_f norm_final"},
    {Meaning::kMustBeOn, "attention to what comes later",
     "causal is_causal use_causal_mask causal_attention causal_mask"},
    {Meaning::kMustBeOn, "a model without residual paths",
     "residual use_residual residuals residual_connection residual_connections use_residuals"},
    {Meaning::kMustBeOn, "a model without norms",
     "use_layernorm use_layer_norm use_ln use_norm with_layernorm"},
    {Meaning::kNormKindOrFlag, "a model without norms", "layernorm layer_norm ln"},
    {Meaning::kMustBeOn, "a layer without attention or MLP",
     "use_mlp with_mlp use_ffn use_attention use_attn"},
    {Meaning::kMustBeOn, "norms without weights", "elementwise_affine norm_affine ln_affine"},
    // Factors.
    {Meaning::kMustBeOne, nullptr,
     "attention_multiplier attn_multiplier embedding_multiplier "
     "embed_scale embedding_scale emb_scale embd_scale scale_emb residual_multiplier "
     "residual_scale resid_scale residual_scaling logits_scaling logit_scale logits_scale "
     "output_mult output_scale output_multiplier logits_multiplier mup_base_width "
     "mup_width_multiplier mup_width_mult mup_output_alpha mup_output_multiplier "
     "mup_input_alpha mup_embeddings_scale mup_scale_qk_dot_by_d mup_attn_scale "
     "width_multiplier width_mult attn_temperature attention_temperature "
     "softmax_temperature lm_head_multiplier"},
    // True is the usual division of scores, and a norm's usual weights.
    {Meaning::kMustBeOneOrTrue, nullptr, "attn_scale attention_scale norm_scale softmax_scale"},
    {Meaning::kTokenId, nullptr, "bos_token_id eos_token_id pad_token_id"},
    // Told by the tensors themselves.
    {Meaning::kHarmless, nullptr,
     "qkv_bias attn_bias attention_bias mlp_bias linear_bias add_bias_linear add_qkv_bias "
     "ln_bias norm_bias layer_norm_bias layernorm_bias lm_head_bias head_bias use_qkv_bias "
     "use_attn_bias proj_bias ff_bias ffn_bias seq_len seq_length sequence_length max_len "
     "max_length maxlen max_seq_len max_seq_length max_sequence_length dim hidden_dim "
     "d_hidden width depth layers mlp_ratio mlp_mult expansion_factor mlp_expansion ff_mult "
     "ffn_mult ffn_expansion padded_vocab_size padding_multiple pad_vocab_size_multiple "
     "padding vocab_padding n_params num_params parameters shared_attention_norm"},
    // What the mathematics of a generated text does not depend on.
    {Meaning::kHarmless, nullptr,
     "dropout attn_pdrop resid_pdrop embd_pdrop drop_rate summary_first_dropout attn_dropout "
     "resid_dropout embd_dropout emb_dropout layer_drop layerdrop stochastic_depth "
     "loss_type loss_fn loss_function criterion keys_to_ignore_at_inference transformers.js_config "
     "pretraining_tp base_model_tp_plan base_model_pp_plan instantiator class_path "
     "initializer_range initializer init_std init_method init_type init_weights zero_init "
     "summary_type summary_use_proj summary_activation summary_proj_to_labels use_cache "
     "sep_token_id decoder_start_token_id n_special "
     "predict_special_tokens gradient_checkpointing activation_checkpointing use_checkpoint "
     "use_checkpointing recompute task_specific_params transformers_version torch_dtype "
     "dtype name_or_path commit_hash num_labels id2label label2id problem_type "
     "finetuning_task prefix tokenizer_class tokenizer bad_words_ids return_dict "
     "return_dict_in_generate output_attentions output_hidden_states output_scores "
     "output_past torchscript use_bfloat16 tf_legacy_loss chunk_size_feed_forward is_decoder "
     "cross_attention_hidden_size tie_encoder_decoder min_length do_sample early_stopping "
     "num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p "
     "repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size "
     "num_return_sequences remove_invalid_values exponential_decay_length_penalty "
     "suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id "
     "attn_implementation attn_implementation_internal attn_implementation_autoset "
     "experts_implementation model_parallel device_map language license adapters "
     "is_composition flash flash_attn flash_attention use_flash use_flash_attn "
     "use_flash_attention use_sdpa sdpa use_flex_attention fused use_fused "
     "use_fused_attention use_kv_cache kv_cache use_kernel use_liger b t n_batch batch bs "
     "mbs micro_batch_size batch_size total_batch_size device_batch_size global_batch_size "
     "mini_batch_size per_device_train_batch_size per_gpu_train_batch_size "
     "gradient_accumulation_steps grad_accum_steps grad_accum accumulate_grad_batches "
     "grad_clip clip_grad gradient_clip gradient_clip_val max_grad_norm grad_norm_clip lr "
     "learning_rate max_lr min_lr peak_lr base_lr lr_scheduler lr_schedule lr_decay decay_lr "
     "scheduler schedule weight_decay decay momentum beta1 beta2 betas beta "
     "adam_eps adam_epsilon optimizer optim optimizer_name optimizer_type optimizer_config "
     "optimizers fused_adamw muon max_iters max_steps total_steps num_steps steps n_steps "
     "iters num_iters iter_num num_iterations max_iterations iterations epoch epochs "
     "num_epochs n_epochs max_epochs num_train_epochs warmup warmup_iters warmup_steps "
     "warmup_ratio warmup_tokens final_tokens step global_step current_step cooldown device "
     "device_type devices backend compile use_compile compile_model torch_compile amp "
     "use_amp fp16 bf16 tf32 use_tf32 mixed_precision precision half autocast seed "
     "random_seed manual_seed deterministic world_size rank local_rank ddp use_ddp fsdp "
     "zero_stage num_nodes nodes gpus n_gpu num_gpus accelerator strategy distributed nproc "
     "master_process deepspeed deepspeed_config ds_config ds_version dataset datasets data "
     "data_path data_config data_module datamodule num_workers pin_memory shuffle split stoi "
     "itos chars vocab vocabulary charset meta alphabet trainer trainer_config training "
     "training_args training_config train train_config callbacks logger logging wandb "
     "monitor system env experiment experiment_name run project project_name name run_name "
     "model_name description notes comment version author date time timestamp created git "
     "git_hash git_commit commit hostname host user verbose debug quiet silent mode resume "
     "resume_from init_from always_save_checkpoint eval_only only_eval finetune pretrained "
     "pretrained_model from_pretrained use_pretrained load_from checkpoint ckpt out output "
     "output_dir out_dir workdir work_dir work_dirs path root best_val_loss val_loss "
     "best_loss loss train_loss perplexity tokens_seen tokens_trained n_tokens num_tokens "
     "early_stop patience label_smoothing z_loss aux_loss ignore_index class_weights ema "
     "use_ema ema_decay swa lora_r prompt prompts start n num_samples max_new_tokens log "
     "val_batches val_data hook hooks help config_file config_path cfg_path command cmd func "
     "fn"},
};

// Training programs' own, by how they begin and end. All are harmless.
constexpr std::string_view kHarmlessPrefixes[] = {
    "wandb", "tensorboard", "logg",  "eval",   "save",         "ckpt",     "checkpoint",
    "valid", "test",        "train", "lr",     "learningrate", "warmup",   "adam",
    "optim", "grad",        "data",  "sample", "generat",      "hellaswag"};
constexpr std::string_view kHarmlessSuffixes[] = {
    "interval", "iters", "steps", "epochs", "every", "freq", "frequency", "tokenid", "token"};
// Of the model's parts, too: "attn_dropout", "embed_std".
constexpr std::string_view kAlwaysHarmlessSuffixes[] = {
    "dropout", "pdrop", "droprate", "dropprob",  "dir",     "path", "file",
    "std",     "lr",    "seed",     "batchsize", "workers", "url"};
// Parts of the model: "global_attn_every" and "sample_softcap" are no training program's.
constexpr std::string_view kPartsOfModels[] = {
    "attn", "attention", "moe",  "expert", "rope",   "rotary",  "alibi", "pos",  "mask",
    "cap",  "resid",     "gate", "glu",    "window", "sliding", "cross", "skip", "head",
    "mlp",  "ffn",       "emb",  "layer",  "block",  "norm",    "scale", "loop"};

bool is_harmless_pattern(std::string_view name) {
  auto ends = [name](std::string_view part) { return name.ends_with(part); };
  if (std::ranges::any_of(kAlwaysHarmlessSuffixes, ends)) return true;
  auto holds = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (std::ranges::any_of(kPartsOfModels, holds)) return false;
  auto begins = [name](std::string_view part) { return name.starts_with(part); };
  return std::ranges::any_of(kHarmlessPrefixes, begins) ||
         std::ranges::any_of(kHarmlessSuffixes, ends);
}

std::vector<FieldName> make_table() {
  std::vector<FieldName> table;
  for (const Group& group : kGroups) {
    for (std::size_t start = 0; start < group.names.size();) {
      std::size_t end = std::min(group.names.find(' ', start), group.names.size());
      std::string_view name = group.names.substr(start, end - start);
      table.push_back({plain_field_name(name), group.meaning, group.what});
      start = end + 1;
    }
  }
  std::ranges::sort(table, {}, &FieldName::name);
  return table;
}

}  // namespace

std::string plain_field_name(std::string_view name) {
  std::string plain;
  for (char c : name) {
    if (c != '_' && c != '-' && c != ' ') {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return plain;
}

const FieldName* find_field_name(std::string_view name) {
  static const std::vector<FieldName> table = make_table();
  static const FieldName harmless{"", Meaning::kHarmless};
  std::string plain = plain_field_name(name);
  auto found = std::ranges::lower_bound(table, plain, {}, &FieldName::name);
  if (found != table.end() && found->name == plain) return &*found;
  return is_harmless_pattern(plain) ? &harmless : nullptr;
}

}  // namespace chorus::checkpoint
