"""A language model behind an OpenAI-compatible server: the client, and answers in a given form."""
