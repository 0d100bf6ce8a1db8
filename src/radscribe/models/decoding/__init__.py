"""The tokenizer, the report decoder, and search over its cached keys and values."""
