"""vLLM servers: started when a stage needs them, kept while anybody does, ended with the last."""
