-- For wrk: the talk's request as llama-server takes it, whose every answer has 16 new tokens.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"prompt": "The quick brown fox", "n_predict": 16, "ignore_eos": true, "seed": 42, ' ..
  '"top_k": 50, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}'
